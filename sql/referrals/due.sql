-- does:   the open referrals after a number whose referred member has bought since, the first of them
-- again:  reads only
-- params: after bigint, most bigint
select r.referral_no
from loyalty.referrals as r
inner join loyalty.members as m on r.referred_no = m.member_no and m.erased_at is null
where r.state = 'open' and r.referral_no > :after and loyalty.has_bought(r.referred_no, r.made_at)
order by r.referral_no
limit :most
