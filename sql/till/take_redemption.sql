-- does:   spends a member's points and keeps the answer to whoever asks, all at once; no row comes back, and nothing is written, if that
--         takes more
-- again:  a key that is taken is left as it is, and no row comes back
-- params: key_no integer, idempotency_key text, digest bytea, customer_id text, points bigint, purpose text, reference text, at timestamptz
select t.body
from loyalty.take_redemption(
    :key_no, :idempotency_key, :digest, :customer_id, :points, :purpose, :reference, :at
) as t (body)
where t.body is not null
