-- does:   gives vouchers back whose hold is over
-- again:  finds none
-- params: at timestamptz
with lapsed as (
    select
        v.member_no,
        v.tier_no,
        v.issued_at,
        v.code
    from loyalty.voucher_uses as u
    inner join loyalty.voucher_codes as c on u.code = c.code
    inner join loyalty.vouchers as v on c.member_no = v.member_no and c.code = v.code
    where u.redeemed_at is null and u.held_until <= :at and v.state = 'held'
    order by v.member_no, v.tier_no, v.issued_at
    for update of v, u skip locked
),

released as (
    update loyalty.vouchers as v
    set state = 'issued'
    from lapsed as l
    where v.member_no = l.member_no and v.tier_no = l.tier_no and v.issued_at = l.issued_at
        and v.state = 'held'
    returning v.code
)

update loyalty.voucher_uses as u
set held_until = null
from released as r
where u.code = r.code
