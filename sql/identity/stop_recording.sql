-- does:   waits for imports that are recording, and keeps others from it until the transaction ends
-- again:  holds what is held
-- params: lock integer
select pg_advisory_xact_lock(:lock)
