-- does:   ends the hold of a voucher under that reference; as it is then, and whether it was done
-- again:  one that is not held stays as it is
-- params: code text, reference text, at timestamptz
select v.*
from loyalty.move_voucher(:code, array['held'], 'issued', :reference, null, :at) as v
