-- does:   a redemption as it is at an instant, and how its member stands
-- again:  reads only
-- params: redemption_no bigint, at timestamptz
select r.*
from loyalty.redemption_told(:redemption_no, :at) as r
