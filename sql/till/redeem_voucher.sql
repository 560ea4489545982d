-- does:   uses a voucher, issued or held under the same reference; as it is then, and whether it was done
-- again:  one that is used is not used again
-- params: code text, reference text, at timestamptz
select v.*
from loyalty.move_voucher(:code, array['issued', 'held'], 'redeemed', :reference, null, :at) as v
