-- does:   spends a member's points, or holds them for a checkout; what came of it
-- again:  spends again: whoever asks keeps a key of his own
-- params: customer_id text, points bigint, purpose text, reference text, hold boolean, at timestamptz
select r.*
from loyalty.redeem(:customer_id, :points, :purpose, :reference, :hold, :at) as r
