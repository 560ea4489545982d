-- does:   commits points that are held; the redemption as it is then
-- again:  one that is committed stays so
-- params: redemption_no bigint, at timestamptz
select r.*
from loyalty.commit_redemption(:redemption_no, :at) as r
