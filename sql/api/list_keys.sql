-- does:   all API keys, oldest first, without anything that opens a door
-- again:  reads only
-- params: none
select
    k.key_no,
    k.name,
    k.scopes,
    k.requests_per_minute,
    k.created_at,
    k.expires_at,
    k.revoked_at,
    k.last_used_at
from api_keys as k
order by k.key_no
