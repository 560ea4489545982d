-- does:   the period's statements summed by the tiers before and after: the one pass that the health report stands on
-- again:  reads only; what the report stores gets a new revision only if a number differs
-- params: period date
select
    s.tier_before,
    s.tier_after,
    count(*) as members,
    count(*) filter (where s.transactions > 0) as active,
    sum(s.opening_balance) as opening,
    sum(s.points_earned) as earned,
    sum(s.points_redeemed) as redeemed,
    sum(s.points_expired) as expired,
    sum(s.points_adjusted) as adjusted,
    sum(s.closing_balance) as closing,
    sum(least(s.closing_balance, 0)) as owed
from loyalty.statements as s
where s.period = :period
group by s.tier_before, s.tier_after
order by s.tier_before, s.tier_after
