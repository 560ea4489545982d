-- does:   finds members without an account
-- again:  reads only
-- params: none
select m.member_no
from loyalty.members as m
left join loyalty.accounts as a on m.member_no = a.member_no
where a.member_no is null
