-- does:   the upgrades that wait for a manager now, whatever period asked
-- again:  reads only
-- params: none
select count(*) as waiting
from loyalty.reviews as r
where r.state = 'open'
