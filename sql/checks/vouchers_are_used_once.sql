-- does:   finds vouchers that are held or redeemed without the record of it, and records of vouchers that say otherwise
-- again:  reads only
-- params: none
select
    v.member_no,
    v.tier_no,
    v.issued_at,
    v.state
from (
    select k.code, k.member_no, k.tier_no, k.issued_at, k.state from loyalty.vouchers as k
    union all
    select a.code, a.member_no, a.tier_no, a.issued_at, a.state from loyalty.voucher_archive as a
) as v
full join loyalty.voucher_uses as u on v.code = u.code
where v.code is null
    or (v.state = 'redeemed') <> (u.redeemed_at is not null)
    or (v.state = 'held' and u.held_until is null)
