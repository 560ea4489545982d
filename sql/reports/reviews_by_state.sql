-- does:   the reviews that the period's close asked for, by tier and state; later: approvals that took effect after the period's end
-- again:  reads only
-- params: period date
select
    r.tier_no,
    r.state,
    count(*) as reviews,
    count(*) filter (where r.effective_at > loyalty.period_start((:period + interval '1 month')::date)) as later
from loyalty.reviews as r
where r.period = :period
group by r.tier_no, r.state
order by r.tier_no, r.state
