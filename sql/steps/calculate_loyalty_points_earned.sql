-- does:   exact points per member and sale's period, and the whole points they post: the difference of the running floor of
--         the exact sum, take-backs of earlier periods' sales first (the oldest first), then the period's own net, which also
--         evens out what real time has posted already
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, simulated boolean
with posted as (
    select
        e.member_no,
        sum(e.points) as points
    from loyalty.entries as e
    where e.period = :period and e.member_no >= :first_member and e.member_no < :stop_member
        and e.kind in ('earn', 'take_back') and not :simulated
    group by e.member_no
),

sums as (
    select
        member_no,
        sale_period,
        sum(exact) as exact,
        coalesce(sum(exact) filter (where unnamed), 0) as unnamed
    from (
        select
            w.member_no,
            w.sale_period,
            w.unnamed,
            w.eligible * w.points_per_unit as exact
        from loyalty.work_transactions as w
        where w.run_no = :run_no and w.member_no >= :first_member and w.member_no < :stop_member
        union all
        select
            posted.member_no,
            :period,
            false as unnamed,
            0 as exact
        from posted
    ) as parts
    group by member_no, sale_period
),

running as (
    select
        s.member_no,
        s.sale_period,
        s.exact,
        s.unnamed,
        row_number() over member_sums as rank,
        p.exact_sum + sum(s.exact) over member_sums as after_it
    from sums as s
    inner join loyalty.work_profiles as p on p.run_no = :run_no and s.member_no = p.member_no
        and p.member_no >= :first_member and p.member_no < :stop_member
    window member_sums as (partition by s.member_no order by s.sale_period)
)

insert into loyalty.work_points (run_no, member_no, sale_period, rank, exact, unnamed, points)
select
    :run_no,
    r.member_no,
    r.sale_period,
    r.rank,
    r.exact,
    r.unnamed,
    floor(r.after_it) - floor(r.after_it - r.exact)
    - case when r.sale_period = :period then coalesce(posted.points, 0) else 0 end
from running as r
left join posted on r.member_no = posted.member_no
order by r.member_no
