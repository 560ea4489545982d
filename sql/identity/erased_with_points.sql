-- does:   erased members who have got points, a voucher or a review since: a close, or a redemption that was undone
-- again:  reads only
-- params: none
select r.member_no
from loyalty.erasures as r
inner join loyalty.accounts as a on r.member_no = a.member_no
where a.balance <> 0
    or exists (select from loyalty.vouchers as v where v.member_no = r.member_no and v.state in ('issued', 'held'))
    or exists (select from loyalty.reviews as w where w.member_no = r.member_no and w.state = 'open')
order by r.member_no
