-- does:   settles those of these referrals whose referred member has bought: grants to both sides; the members to post for
-- again:  one that is settled stays as it is
-- params: referral_nos bigint[], at timestamptz
select s.first_member, s.stop_member
from loyalty.settle_referrals(cast(:referral_nos as bigint []), :at) as s
