-- does:   some of the members who have points held past the time-out, the longest first
-- again:  reads only; with the holds released it finds others, or nobody
-- params: at timestamptz, most integer
select distinct r.member_no
from (
    select h.member_no from loyalty.redemptions as h
    where h.state = 'held' and h.held_until <= :at
    order by h.held_until
    limit :most
) as r
order by r.member_no
