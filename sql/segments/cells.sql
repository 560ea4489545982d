-- does:   the active members by their scores of recency and frequency, and what they spent
-- again:  reads only
-- params: none
select
    s.recency_score as recency,
    s.frequency_score as frequency,
    count(*) as members,
    sum(s.monetary)::bigint as spend
from loyalty.segments as s
where s.active
group by s.recency_score, s.frequency_score
order by s.recency_score, s.frequency_score
