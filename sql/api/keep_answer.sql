-- does:   keeps the first answer to an idempotency key that this transaction took
-- again:  writes the same
-- params: key_no integer, idempotency_key text, status smallint, body text
update answers as a
set
    status = :status,
    body = :body
where a.key_no = :key_no and a.idempotency_key = :idempotency_key
