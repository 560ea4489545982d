-- does:   moves the balances by what a recompute posted, and empties the working tables of run 0; how many members, and what they got and lost
-- again:  with the working tables empty it finds nobody
-- params: period date, revisions bigint[]
with staged as (
    delete from loyalty.work_points as w
    where w.run_no = 0
    returning member_no, points
),

profiles as (
    delete from loyalty.work_profiles as p
    where p.run_no = 0
),

posted as (
    select
        e.member_no,
        sum(e.points)::bigint as points
    from loyalty.entries as e
    where e.period = :period and e.kind in ('correction', 'expiry_reversed', 'write_off')
        and e.cause = any(cast(:revisions as bigint []))
        and e.member_no in (select s.member_no from staged as s)
    group by e.member_no
),

settled as (
    update loyalty.accounts as a
    set balance = a.balance + p.points
    from posted as p
    where a.member_no = p.member_no
)

select
    count(distinct s.member_no) as members,
    coalesce(sum(s.points) filter (where s.points > 0), 0)::bigint as credited,
    coalesce(-sum(s.points) filter (where s.points < 0), 0)::bigint as debited
from staged as s
