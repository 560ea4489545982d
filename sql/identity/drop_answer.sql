-- does:   forgets an answer; who asks again under the same key is answered anew
-- again:  finds none
-- params: key_no integer, idempotency_key text
delete from loyalty.answers as a
where a.key_no = :key_no and a.idempotency_key = :idempotency_key
