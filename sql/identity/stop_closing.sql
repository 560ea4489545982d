-- does:   keeps a close from beginning until the transaction ends; false if one is under way. And the month of a close that was broken off
-- again:  holds what is held
-- params: lock integer
select
    pg_try_advisory_xact_lock(:lock) as free,
    (select min(p.period) from loyalty.periods as p where p.state = 'closing') as broken_off
