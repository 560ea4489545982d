-- does:   the API key with that hash that is good at an instant
-- again:  reads only
-- params: digest bytea, at timestamptz
select
    k.key_no,
    k.scopes,
    k.requests_per_minute,
    k.expires_at
from api_keys as k
where k.digest = :digest and k.revoked_at is null and (k.expires_at is null or k.expires_at > :at)
