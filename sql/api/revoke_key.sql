-- does:   revokes the API key of that name that is in use
-- again:  finds none
-- params: name text, at timestamptz
update api_keys as k
set revoked_at = :at
where k.name = :name and k.revoked_at is null
returning k.key_no
