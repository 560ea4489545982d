-- does:   finds codes ever given out whose voucher is kept twice, or not at all
-- again:  reads only
-- params: none
select
    c.member_no,
    count(k.member_no) as copies
from loyalty.voucher_codes as c
left join (
    select v.code, v.member_no from loyalty.vouchers as v
    union all
    select a.code, a.member_no from loyalty.voucher_archive as a
) as k on c.code = k.code and c.member_no = k.member_no
group by c.code, c.member_no
having count(k.member_no) <> 1
