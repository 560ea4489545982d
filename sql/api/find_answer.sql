-- does:   the first answer to an idempotency key, and what was asked with it
-- again:  reads only
-- params: key_no integer, idempotency_key text
select
    a.digest,
    a.status,
    a.body
from answers as a
where a.key_no = :key_no and a.idempotency_key = :idempotency_key
