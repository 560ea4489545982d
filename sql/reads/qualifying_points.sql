-- does:   the points that count for a member's tier at the newest close before an instant; stated_period is that of its newest statement
-- again:  reads only
-- params: member_no bigint, stated_period date, as_of timestamptz
select loyalty.qualifying_points(:member_no, :stated_period, p.period) as qualifying_points
from loyalty.periods as p
where p.state = 'closed' and p.ends_at <= :as_of
order by p.period desc
limit 1
