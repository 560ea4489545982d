-- does:   the zone in which the programme's months begin; no row before the first migrate
-- again:  reads only
-- params: none
select p.time_zone
from loyalty.programme as p
