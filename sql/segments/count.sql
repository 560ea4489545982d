-- does:   how many members each segment has, as it was last computed
-- again:  reads only
-- params: none
select
    count(*) as known,
    count(*) filter (where s.active) as active,
    count(*) filter (where s.one_time) as one_time,
    count(*) filter (where s.at_risk) as at_risk,
    count(*) filter (where s.lapsed) as lapsed,
    count(*) filter (where s.near_threshold) as near_threshold,
    count(*) filter (where s.best) as best
from loyalty.segments as s
