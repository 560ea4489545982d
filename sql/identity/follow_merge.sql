-- does:   points that came to a member after it was merged into another go over too; the accounts of both are locked
-- again:  nothing is left
-- params: member_no bigint, at timestamptz
select loyalty.follow_merge(g, :at) as points
from loyalty.merges as g
where g.lost_no = :member_no and g.undone_at is null
