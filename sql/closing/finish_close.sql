-- does:   ends a close: digests of what went in and what came out (sums of row hashes, so batches don't matter), the period closed
-- again:  a finished close is not touched again
-- params: period date, finished_at timestamptz
with inputs as (
    select
        coalesce(sum(
            hashtextextended(t.transaction_id, hashint8extended(t.amount, extract(epoch from t.occurred_at)::bigint))
        ), 0) as digest
    from loyalty.transactions as t
    where t.booked_period = :period
),

outputs as (
    select
        count(*) as statements,
        coalesce(sum(
            hashint8extended(s.member_no, hashint8extended(s.opening_balance, hashint8extended(s.transactions,
                hashint8extended(s.spend, hashint8extended(s.points_earned, hashint8extended(s.points_redeemed,
                    hashint8extended(s.points_expired, hashint8extended(s.points_adjusted, hashint8extended(s.closing_balance,
                        hashint8extended(s.qualifying_points, hashint8extended(s.tier_before, s.tier_after)
                        ))))))))))
        ), 0) as digest
    from loyalty.statements as s
    where s.period = :period
),

finished as (
    update loyalty.closes as c
    set
        finished_at = :finished_at,
        statements = o.statements,
        input_digest = i.digest,
        output_digest = o.digest
    from inputs as i
    cross join outputs as o
    where c.period = :period and c.finished_at is null
)

update loyalty.periods as p
set state = 'closed'
where p.period = :period and p.state = 'closing'
