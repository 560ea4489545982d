-- does:   finds vouchers whose code is not in the register of all codes, or there as another member's
-- again:  reads only
-- params: none
select
    v.member_no,
    v.tier_no,
    v.issued_at
from (
    select k.code, k.member_no, k.tier_no, k.issued_at from loyalty.vouchers as k
    union all
    select a.code, a.member_no, a.tier_no, a.issued_at from loyalty.voucher_archive as a
) as v
left join loyalty.voucher_codes as c on v.code = c.code
where c.member_no is distinct from v.member_no
