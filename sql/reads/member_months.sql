-- does:   a member's closed months up to an instant, oldest first: the exact sum each left, and the points it earned
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
select
    p.period,
    s.points_earned,
    s.exact_sum,
    c.rules_version
from loyalty.periods as p
inner join loyalty.closes as c on p.period = c.period
cross join lateral (
    select * from loyalty.statements as o where o.period = p.period and o.member_no = :member_no
) as s
where p.state = 'closed' and p.ends_at <= :as_of
order by p.period
