-- does:   adds the visits of closed months that are not counted yet to the totals, but for erased members, and notes up to which month that is
-- again:  months up to the mark are left out; the mark is set in the same statement
-- params: since date, through date
with begun as (
    insert into loyalty.visit_marks as k (since, through)
    values (:since, :through)
    on conflict (since) do update set through = excluded.through where k.through < excluded.through
    returning k.since
),

counted as materialized (
    select v.member_no, v.visits
    from begun as b
    cross join loyalty.visits_booked(
        0, 9223372036854775807, :since,
        coalesce((select (k.through + interval '1 month')::date from loyalty.visit_marks as k where k.since = :since), :since),
        cast(:through + interval '1 month' as date), null
    ) as v
)

insert into loyalty.visit_totals as t (since, member_no, visits)
select :since, c.member_no, c.visits
from counted as c
where c.member_no not in (select m.member_no from loyalty.members as m where m.erased_at is not null)
order by c.member_no
on conflict (since, member_no) do update set visits = t.visits + excluded.visits
