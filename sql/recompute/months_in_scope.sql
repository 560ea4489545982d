-- does:   the closed months to compute, from the first of those in scope on, each with what its close was told
-- again:  reads only
-- params: recompute_no bigint, last_period date
select
    c.period,
    c.reviews,
    c.started_at
from loyalty.closes as c
where c.finished_at is not null and c.period <= :last_period
    and c.period >= (select min(s.from_period) from loyalty.recompute_scope as s where s.recompute_no = :recompute_no)
order by c.period
