-- does:   keeps the hash of a new API key, with what it may do; no row comes back if a key of that name is in use
-- again:  a name that is in use is left as it is
-- params: name text, digest bytea, scopes text[], requests_per_minute integer, expires_at timestamptz, at timestamptz
insert into api_keys (name, digest, scopes, requests_per_minute, created_at, expires_at)
values (:name, :digest, :scopes, :requests_per_minute, :at, :expires_at)
on conflict (name) where revoked_at is null do nothing
returning key_no
