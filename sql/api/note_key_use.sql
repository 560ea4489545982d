-- does:   notes that an API key was used, unless that was noted less than a minute before
-- again:  writes nothing new
-- params: key_no integer, at timestamptz
update api_keys as k
set last_used_at = :at
where k.key_no = :key_no and (k.last_used_at is null or k.last_used_at < cast(:at as timestamptz) - interval '1 minute')
