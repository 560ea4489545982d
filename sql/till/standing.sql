-- does:   what the books hold of a member at an instant: points to spend, pending, owed
-- again:  reads only
-- params: member_no bigint, at timestamptz
select
    s.available,
    s.pending,
    s.owed,
    s.available + s.pending - s.owed as balance
from loyalty.standing(:member_no, :at) as s
