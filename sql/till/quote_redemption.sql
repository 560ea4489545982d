-- does:   what a member could redeem at an instant, and what so many points would be worth; refused says why these can't be
-- again:  reads only
-- params: customer_id text, points bigint, at timestamptz
select
    m.member_no,
    s.available,
    s.available + s.pending - s.owed as balance,
    v.redemption_minimum as minimum,
    v.redemption_step as step,
    today.points_left as left_today,
    :points as points,
    loyalty.worth_of(:points, v) as worth,
    v.currency,
    coalesce(
        loyalty.redemption_refused(v, :points, today.points_left), case when :points > s.available then 'too_few' end
    ) as refused
from loyalty.members as m
cross join loyalty.rules_at(:at) as v
cross join lateral loyalty.standing(m.member_no, :at) as s
cross join lateral (select loyalty.left_today(v, m.member_no, :at) as points_left) as today
where m.member_no = loyalty.member_called(:customer_id)
