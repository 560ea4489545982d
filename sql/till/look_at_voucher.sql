-- does:   what a voucher is at an instant
-- again:  reads only
-- params: code text, at timestamptz
select v.*
from loyalty.look_at_voucher(:code, :at) as v
