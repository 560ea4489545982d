-- does:   makes merges of members wait until the transaction ends, and waits for one that is under way
-- again:  holds what is held
-- params: lock integer
select pg_advisory_xact_lock_shared(:lock)
