-- does:   when the segments that stand were computed, as of when, and the sizes of the run before
-- again:  reads only
-- params: none
select
    r.as_of,
    r.computed_at,
    r.counts,
    lag(r.counts) over (order by r.computed_at) as counts_before,
    lag(r.as_of) over (order by r.computed_at) as as_of_before
from loyalty.segment_runs as r
order by r.computed_at desc
limit 1
