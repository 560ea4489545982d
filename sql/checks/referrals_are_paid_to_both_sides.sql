-- does:   finds referrals whose sides were not given exactly what they bring once paid, and referrers given points beyond a year's most
-- again:  reads only
-- params: none
select
    r.referral_no,
    r.referrer_no as member_no,
    r.state,
    one.points as referrer_given,
    other.points as referred_given
from (
    select
        x.*,
        rank() over (partition by x.referrer_no, x.year, x.referrer_paid order by x.settled_at, x.referral_no) as place
    from loyalty.referrals as x
) as r
left join loyalty.grants as one
    on r.referrer_no = one.member_no and one.kind = 'referral' and one.occasion = r.referral_no::text
left join loyalty.grants as other
    on r.referred_no = other.member_no and other.kind = 'referral' and other.occasion = r.referral_no::text
where coalesce(one.points, 0) <> case when r.referrer_paid then r.referrer_points else 0 end
    or coalesce(other.points, 0) <> case when r.state = 'paid' then r.referred_points else 0 end
    or (r.referrer_paid and r.place > r.year_max)
