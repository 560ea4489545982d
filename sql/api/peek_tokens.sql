-- does:   what these buckets held when a token was last asked for, those that were ever asked
-- again:  reads only
-- params: buckets text[]
select
    t.bucket,
    t.tokens,
    t.at
from throttles as t
where t.bucket = any(:buckets)
