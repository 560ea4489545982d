-- does:   what a till or an app shows of a member at an instant: tier, points by what they are good for, and what the last close said
-- again:  reads only
-- params: customer_id text, at timestamptz
select
    m.member_no,
    m.customer_id,
    t.name as tier,
    nullif(a.tier_since, '-infinity') as tier_since,
    a.held_until as tier_held_until,
    held.available + held.pending - held.owed as balance,
    held.available,
    held.pending,
    held.owed,
    coalesce(loyalty.qualifying_points(m.member_no, a.stated_period, closed.period), 0) as qualifying_points,
    m.enrolled_at
from members as m
inner join accounts as a on m.member_no = a.member_no
inner join tiers as t on a.tier_no = t.tier_no
cross join lateral loyalty.standing(m.member_no, :at) as held
cross join (select max(p.period) as period from loyalty.periods as p where p.state = 'closed') as closed
where m.member_no = loyalty.member_called(:customer_id)
