-- does:   finds members without an account, and accounts of nobody
-- again:  reads only
-- params: none
select coalesce(m.member_no, a.member_no) as member_no
from loyalty.members as m
full join loyalty.accounts as a on m.member_no = a.member_no
where m.member_no is null or a.member_no is null
