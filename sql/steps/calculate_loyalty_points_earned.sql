-- does:   exact points per member and sale's period, and the whole points they post: the difference of the running floor of
--         the exact sum, take-backs of earlier periods' sales first (the oldest first), then the period's own net, which also
--         evens out what real time has posted already; what corrections add to earlier periods is posted with it
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, simulated boolean
with posted as (
    select
        x.member_no,
        sum(x.points) as points
    from (
        select e.member_no, e.points from loyalty.entries as e
        where e.period = :period and e.member_no >= :first_member and e.member_no < :stop_member
            and e.kind in ('earn', 'take_back') and not :simulated
        union all
        select o.member_no, o.points from loyalty.moved_earnings as o
        where o.period = :period and o.member_no >= :first_member and o.member_no < :stop_member and not :simulated
    ) as x
    group by x.member_no
),

-- of those, what real time has taken back of earlier months' sales, a corrected one's where it keeps its place: few members have any
taken_live as (
    select
        x.member_no,
        x.sale_period,
        sum(x.points) as points
    from (
        select
            e.member_no,
            least(coalesce(s.sale_period, s.booked_period), t.booked_period) as sale_period,
            e.points
        from loyalty.entries as e
        inner join loyalty.transactions as t
            on e.period = t.booked_period and e.member_no = t.member_no and t.transaction_no = -e.cause
        inner join loyalty.transactions as s
            on t.sale_period = s.booked_period and t.member_no = s.member_no and t.sale_no = s.transaction_no
        where e.period = :period and e.member_no >= :first_member and e.member_no < :stop_member
            and e.kind = 'take_back' and e.cause < 0 and not :simulated
        union all
        select
            o.member_no,
            o.sale_period,
            o.points
        from loyalty.moved_earnings as o
        where o.period = :period and o.member_no >= :first_member and o.member_no < :stop_member
            and o.sale_period < o.period and not :simulated
    ) as x
    group by x.member_no, x.sale_period
),

own as (
    select
        w.member_no,
        sum(w.eligible * w.points_per_unit) as exact,
        sum(w.eligible * w.points_per_unit) filter (where w.unnamed) as unnamed
    from loyalty.work_transactions as w
    where w.run_no = :run_no and w.member_no >= :first_member and w.member_no < :stop_member and w.sale_period = :period
    group by w.member_no
),

-- few members have anything of earlier months, so that only they pay for the order
earlier as (
    select
        w.member_no,
        w.sale_period,
        sum(w.eligible * w.points_per_unit) as exact
    from loyalty.work_transactions as w
    where w.run_no = :run_no and w.member_no >= :first_member and w.member_no < :stop_member and w.sale_period < :period
    group by w.member_no, w.sale_period
),

taken_back as (
    select
        e.member_no,
        e.sale_period,
        e.exact,
        row_number() over oldest_first as rank,
        sum(e.exact) over oldest_first as up_to
    from earlier as e
    where e.exact <= 0
    window oldest_first as (partition by e.member_no order by e.sale_period)
),

-- what is left to take of each month; where real time has taken more, the rest is the period's own
due_back as (
    select
        t.*,
        least(
            floor(p.exact_sum + t.up_to) - floor(p.exact_sum + t.up_to - t.exact) - coalesce(v.points, 0), 0
        ) as points
    from taken_back as t
    inner join loyalty.work_profiles as p on p.run_no = :run_no and t.member_no = p.member_no
        and p.member_no >= :first_member and p.member_no < :stop_member
    left join taken_live as v on t.member_no = v.member_no and t.sale_period = v.sale_period
),

in_all as (
    select
        e.member_no,
        count(d.member_no) as taken_months,
        sum(e.exact) as exact,
        coalesce(sum(e.exact) filter (where e.exact > 0), 0) as added,
        coalesce(sum(d.points), 0) as points
    from earlier as e
    left join due_back as d on e.member_no = d.member_no and e.sale_period = d.sale_period
    group by e.member_no
)

insert into loyalty.work_points (run_no, member_no, sale_period, rank, exact, unnamed, points)
select
    :run_no,
    d.member_no,
    d.sale_period,
    d.rank,
    d.exact,
    0,
    d.points
from due_back as d
union all
select
    :run_no,
    e.member_no,
    e.sale_period,
    0,
    e.exact,
    0,
    0
from earlier as e
where e.exact > 0
union all
select
    :run_no,
    p.member_no,
    :period,
    coalesce(a.taken_months, 0) + 1,
    coalesce(o.exact, 0),
    coalesce(o.unnamed, 0),
    floor(p.exact_sum + coalesce(a.exact, 0) + coalesce(o.exact, 0)) - floor(p.exact_sum)
    - coalesce(a.points, 0) - coalesce(posted.points, 0)
from loyalty.work_profiles as p
left join own as o on p.member_no = o.member_no
left join posted on p.member_no = posted.member_no
left join in_all as a on p.member_no = a.member_no
where p.run_no = :run_no and p.member_no >= :first_member and p.member_no < :stop_member
    and (o.member_no is not null or posted.member_no is not null or a.added > 0)
