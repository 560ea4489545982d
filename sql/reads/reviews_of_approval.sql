-- does:   the upgrades of an approval with what a manager needs to doubt them: what came back of the month's purchases, the largest of
--         them, in how many of the last twelve months the member bought, what it owes, earlier rejections; money in minor units
-- again:  reads only
-- params: approval_no bigint
select
    r.review_no,
    r.member_no,
    f.name as from_tier,
    t.name as to_tier,
    r.qualifying_points,
    r.spend,
    r.state,
    r.decided_by,
    r.note,
    v.currency,
    bought.purchases,
    bought.sold,
    bought.returned,
    bought.largest,
    cardinality(array_positions(array(select w > 0 from unnest(s.exact_window) as w), true)) as months_bought,
    (select count(*) from loyalty.periods as p where p.period <= r.period)::integer as months_known,
    greatest(-a.balance, 0) as owed,
    (
        select to_char(max(e.period), 'YYYY-MM') from loyalty.reviews as e
        where e.member_no = r.member_no and e.state = 'rejected' and e.review_no <> r.review_no
    ) as rejected_in
from loyalty.reviews as r
inner join loyalty.statements as s on r.period = s.period and r.member_no = s.member_no
inner join loyalty.accounts as a on r.member_no = a.member_no
inner join loyalty.tiers as f on r.from_tier_no = f.tier_no
inner join loyalty.tiers as t on r.tier_no = t.tier_no
inner join loyalty.rules_in_force as v on v.from_period <= r.period and r.period < v.until_period
cross join lateral (
    select
        count(*) filter (where m.kind = 'sale')::integer as purchases,
        coalesce(sum(m.amount) filter (where m.kind = 'sale'), 0)::bigint as sold,
        coalesce(sum(m.amount) filter (where m.kind = 'refund'), 0)::bigint as returned,
        coalesce(max(m.amount) filter (where m.kind = 'sale'), 0)::bigint as largest
    from (
        select
            x.kind,
            case when x.exchange_rate is null then x.amount else loyalty.half_even(x.amount * x.exchange_rate) end as amount
        from loyalty.transactions as x
        where x.booked_period = r.period and x.member_no = r.member_no
    ) as m
) as bought
where r.approval_no = :approval_no
order by r.qualifying_points desc, r.member_no
