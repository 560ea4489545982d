-- does:   the period's statements summed by the tier held when it ended: what members spent, and the points that cost
-- again:  reads only; what the report stores gets a new revision only if a number differs
-- params: period date
select
    s.tier_held,
    count(*) as members,
    count(*) filter (where s.transactions > 0) as active,
    sum(s.spend) as spend,
    sum(s.points_earned) as earned
from loyalty.statements as s
where s.period = :period
group by s.tier_held
order by s.tier_held
