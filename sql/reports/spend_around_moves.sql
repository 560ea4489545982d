-- does:   members whose move up took effect in the month first_after, by the tier reached: their spend in the three periods before and
--         the three after, of those with a statement in the first of these. Of a programme with more than `most` members every nth
--         block of a thousand neighbours is looked at, so that the cost stays what six reads of that many rows cost
-- again:  reads only
-- params: first_before date, first_after date, last_after date, most bigint
with sample as (
    select coalesce(max(a.member_no) - 1, 0) / :most + 1 as nth
    from loyalty.accounts as a
),

moved as (
    select distinct on (h.member_no)
        h.member_no,
        h.tier_no,
        h.member_no / 1000 as block
    from loyalty.tier_history as h
    cross join sample as x
    where h.upward
        and h.effective_at >= loyalty.period_start(:first_after)
        and h.effective_at < loyalty.period_start((:first_after + interval '1 month')::date)
        and mod(h.member_no / 1000, x.nth) = 0
    order by h.member_no asc, h.effective_at desc
),

-- block by block, so that neighbours are read together; offset 0 keeps the planner from looking members up one by one
spent as (
    select
        o.member_no,
        min(o.period) as first_period,
        coalesce(sum(o.spend) filter (where o.period < :first_after), 0) as before,
        coalesce(sum(o.spend) filter (where o.period >= :first_after), 0) as after
    from (select distinct m.block from moved as m) as b
    cross join generate_series(:first_before, :last_after, interval '1 month') as w (month)
    cross join lateral (
        select
            s.member_no,
            s.period,
            s.spend
        from loyalty.statements as s
        where s.period = w.month::date and s.member_no >= b.block * 1000 and s.member_no < b.block * 1000 + 1000
        offset 0
    ) as o
    group by o.member_no
)

select
    m.tier_no,
    x.nth,
    count(*) as members,
    sum(p.before) as before,
    sum(p.after) as after
from moved as m
cross join sample as x
inner join spent as p on m.member_no = p.member_no
where p.first_period = :first_before
group by m.tier_no, x.nth
order by m.tier_no
