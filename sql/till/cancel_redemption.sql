-- does:   undoes a redemption, held or committed; the redemption as it is then
-- again:  one that came back before stays as it is
-- params: redemption_no bigint, at timestamptz
select r.*
from loyalty.cancel_redemption(:redemption_no, :at) as r
