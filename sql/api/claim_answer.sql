-- does:   takes an idempotency key for a request; no row comes back if it was taken before, once whoever took it is done
-- again:  a key that is taken stays as it is
-- params: key_no integer, idempotency_key text, digest bytea, at timestamptz
insert into answers (key_no, idempotency_key, digest, answered_at)
values (:key_no, :idempotency_key, :digest, :at)
on conflict (key_no, idempotency_key) do nothing
returning key_no
