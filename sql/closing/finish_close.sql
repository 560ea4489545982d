-- does:   ends a close: its digests kept, the period closed
-- again:  a finished close is not touched again
-- params: period date, finished_at timestamptz, statements bigint, input_digest numeric, output_digest numeric
with finished as (
    update loyalty.closes as c
    set
        finished_at = :finished_at,
        statements = :statements,
        input_digest = :input_digest,
        output_digest = :output_digest
    where c.period = :period and c.finished_at is null
)

update loyalty.periods as p
set state = 'closed'
where p.period = :period and p.state = 'closing'
