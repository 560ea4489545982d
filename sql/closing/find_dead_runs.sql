-- does:   runs whose process is gone: closes, for the caller holds the lock of closing, and simulations that nobody holds a lock for
-- again:  reads only; a lock it takes for the look ends with the transaction
-- params: simulation_lock integer, closing boolean
select
    r.run_no,
    r.candidate
from loyalty.runs as r
where case
    when r.simulated then pg_try_advisory_xact_lock(:simulation_lock, r.run_no::integer)
    else :closing
end
