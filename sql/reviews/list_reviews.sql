-- does:   reviews in a state (null: all), the oldest first, with what a manager needs to doubt them: spend, qualifying points, the share
--         of the period's spend that came back as refunds
-- again:  reads only
-- params: state text
select
    r.review_no,
    m.customer_id,
    r.member_no,
    f.name as from_tier,
    t.name as to_tier,
    r.period,
    r.qualifying_points,
    r.spend,
    r.state,
    r.asked_at,
    r.due_at,
    r.escalated_at,
    r.decided_by,
    r.decided_at,
    r.note,
    coalesce((
        select sum(x.amount) from loyalty.transactions as x
        where x.booked_period = r.period and x.member_no = r.member_no and x.kind = 'refund'
    ), 0)::bigint as refunded
from loyalty.reviews as r
inner join loyalty.members as m on r.member_no = m.member_no
inner join loyalty.tiers as f on r.from_tier_no = f.tier_no
inner join loyalty.tiers as t on r.tier_no = t.tier_no
where cast(:state as text) is null or r.state = :state
order by r.review_no
