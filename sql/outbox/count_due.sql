-- does:   counts the queued messages that are due, as far as the count matters
-- again:  changes nothing
-- params: as_of timestamptz, most integer
select count(*) as due
from (
    select
    from loyalty.outbox as o
    where o.state = 'queued' and (o.not_before is null or o.not_before <= :as_of)
    limit :most
) as counted
