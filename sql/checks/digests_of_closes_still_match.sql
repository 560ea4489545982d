-- does:   finds closes whose inputs or statements are no longer what they were when the period closed
-- again:  reads only
-- params: none
with inputs as (
    select
        t.booked_period as period,
        sum(
            hashtextextended(t.transaction_id, hashint8extended(t.amount, extract(epoch from t.occurred_at)::bigint))
        ) as digest
    from loyalty.transactions as t
    group by t.booked_period
),

outputs as (
    select
        s.period,
        count(*) as statements,
        sum(
            hashint8extended(s.member_no, hashint8extended(s.opening_balance, hashint8extended(s.transactions,
                hashint8extended(s.spend, hashint8extended(s.points_earned, hashint8extended(s.points_redeemed,
                    hashint8extended(s.points_expired, hashint8extended(s.points_adjusted, hashint8extended(s.closing_balance,
                        hashint8extended(s.qualifying_points, hashint8extended(s.tier_before, s.tier_after)
                        ))))))))))
        ) as digest
    from loyalty.statements as s
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
