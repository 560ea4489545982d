-- does:   counts who would be due for a trigger: members, grants, points; granted already or not
-- again:  reads only
-- params: kind loyalty.entry_kind, days date[], points bigint[], visits_each integer
select
    count(distinct d.member_no) as members,
    count(*) as grants,
    coalesce(sum(d.points), 0)::bigint as points
from loyalty.due_grants(
    cast(:kind as loyalty.entry_kind), 0, 9223372036854775807, cast(:days as date []), cast(:points as bigint []), :visits_each
) as d
