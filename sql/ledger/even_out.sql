-- does:   forgets what real time has posted in a month that is being closed, and evens out what it has posted in later ones: each posts
--         the floor of the exact sum through it less the floor before it; credits become entries and lots, debits stand among the
--         run's points for ledger/take_points; gives the months, each with its rank and its shortfall
-- again:  sums of the month that are gone are not found, and what is even stays so
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, as_of timestamptz, recorded_at timestamptz, available_at timestamptz
with forgotten as (
    delete from loyalty.till_sums as s
    where s.period <= :period and s.member_no >= :first_member and s.member_no < :stop_member
),

running as (
    select
        s.member_no,
        s.period,
        s.exact,
        s.posted,
        a.exact_sum + sum(s.exact) over (partition by s.member_no order by s.period) as up_to
    from loyalty.till_sums as s
    inner join loyalty.accounts as a on s.member_no = a.member_no
    where s.period > :period and s.member_no >= :first_member and s.member_no < :stop_member
),

uneven as (
    select
        r.member_no,
        r.period,
        (floor(r.up_to) - floor(r.up_to - r.exact) - r.posted)::bigint as points,
        (extract(year from r.period) - extract(year from cast(:period as date))) * 12
        + extract(month from r.period) - extract(month from cast(:period as date)) as months
    from running as r
    where floor(r.up_to) - floor(r.up_to - r.exact) <> r.posted
),

evened as (
    update loyalty.till_sums as s
    set posted = s.posted + u.points
    from uneven as u
    where s.member_no = u.member_no and s.period = u.period
),

credited as (
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
    select
        u.period,
        u.member_no,
        'earn',
        loyalty.evening_cause(:period),
        u.points,
        :as_of,
        :recorded_at
    from uneven as u
    where u.points > 0
    order by u.period, u.member_no
    returning entry_id, period, member_no, points
),

kept as (
    insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
    select
        c.entry_id,
        c.member_no,
        c.period,
        c.points,
        c.points,
        :available_at,
        loyalty.points_expire_at(c.period, v.expiry_months)
    from credited as c
    inner join loyalty.rules_in_force as v on v.from_period <= c.period and c.period < v.until_period
),

debited as (
    insert into loyalty.work_points (run_no, member_no, sale_period, rank, exact, unnamed, points, cause)
    select
        :run_no,
        u.member_no,
        u.period,
        -u.months,
        0,
        0,
        u.points,
        loyalty.evening_cause(:period)
    from uneven as u
    where u.points < 0
)

select
    u.period,
    -u.months::integer as rank,
    loyalty.evening_cause(:period) as cause,
    v.shortfall
from (select distinct x.period, x.months from uneven as x) as u
inner join loyalty.rules_in_force as v on v.from_period <= u.period and u.period < v.until_period
order by u.period
