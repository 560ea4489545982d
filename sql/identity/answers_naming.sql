-- does:   answers kept for repeats that have one of the patterns
-- again:  reads only
-- params: patterns text[]
select
    a.key_no,
    a.idempotency_key,
    a.body
from loyalty.answers as a
where exists (
    select from unnest(cast(:patterns as text [])) as p (pattern)
    where strpos(lower(a.body), p.pattern) > 0
)
