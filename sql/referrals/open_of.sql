-- does:   the number of the open referral by which a customer came, if there is one, its two accounts locked in order
-- again:  locks the same
-- params: customer_id text
select r.referral_no, loyalty.lock_referrals(array[r.referral_no]) as locked
from loyalty.members as m
inner join loyalty.referrals as r on coalesce(m.merged_into, m.member_no) = r.referred_no and r.state = 'open'
where m.customer_id = :customer_id and m.erased_at is null
