-- does:   finds closes whose inputs or statements are no longer what they were when the period closed
-- again:  reads only
-- params: none
with inputs as (
    select
        t.period,
        sum(t.hash) as digest
    from loyalty.transaction_hashes as t
    group by t.period
),

outputs as (
    select
        s.period,
        count(*) as statements,
        sum(s.hash) as digest
    from loyalty.statement_hashes as s
    group by s.period
)

select
    c.period,
    c.statements,
    o.statements as statements_now,
    c.input_digest,
    i.digest as input_digest_now,
    c.output_digest,
    o.digest as output_digest_now
from loyalty.closes as c
left join inputs as i on c.period = i.period
left join outputs as o on c.period = o.period
where c.finished_at is not null
    and (c.statements, c.input_digest, c.output_digest) is distinct from (
        coalesce(o.statements, 0), coalesce(i.digest, 0), coalesce(o.digest, 0)
    )
