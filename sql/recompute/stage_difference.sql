-- does:   lays what a recompute is to post into the working tables of run 0, months in order, a rank each, and numbers the months' revisions;
--         the accounts are locked in member order before a lot is touched; who was erased meanwhile is left out
-- again:  the working tables are empty at the end of the transaction, and a posted month has its revision
-- params: recompute_no bigint
with locked as (
    select a.member_no from loyalty.accounts as a
    where a.member_no in (
        select m.member_no from loyalty.recomputed_members as m
        where m.recompute_no = :recompute_no and m.points <> 0
    )
    order by a.member_no
    for update
),

months as (
    select
        m.period,
        row_number() over (order by m.period) as rank,
        (
            select coalesce(max(o.revision), 0) + 1 from loyalty.recomputed_members as o
            where o.period = m.period
        ) as revision
    from loyalty.recomputed_members as m
    where m.recompute_no = :recompute_no and m.points <> 0
    group by m.period
),

due as (
    update loyalty.recomputed_members as m
    set revision = n.revision
    from months as n, loyalty.members as p, locked as l
    where m.recompute_no = :recompute_no and m.points <> 0 and m.period = n.period
        and m.member_no = p.member_no and p.erased_at is null and m.member_no = l.member_no
    returning m.member_no, m.period, m.points, n.rank, n.revision
),

profiles as (
    insert into loyalty.work_profiles (
        run_no, member_no, tier_before, tier_held, tier_now, moved_in_period, moved_since,
        opening_balance, posted_before, periods_since, exact_sum, exact_before_window, exact_unnamed, exact_window
    )
    select distinct
        0,
        d.member_no,
        a.tier_no,
        a.tier_no,
        a.tier_no,
        false,
        false,
        0,
        0,
        1,
        0::numeric,
        0::numeric,
        0::numeric,
        '{}'::numeric []
    from due as d
    inner join loyalty.accounts as a on d.member_no = a.member_no
),

points as (
    insert into loyalty.work_points (run_no, member_no, sale_period, rank, exact, unnamed, points)
    select
        0,
        d.member_no,
        d.period,
        d.rank,
        0,
        0,
        d.points
    from due as d
)

select
    d.period,
    d.rank,
    d.revision,
    min(d.member_no) as first_member,
    max(d.member_no) + 1 as stop_member
from due as d
group by d.period, d.rank, d.revision
order by d.rank
