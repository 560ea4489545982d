-- does:   locks the account of a member, as everything does first
-- again:  locks the same
-- params: member_no bigint
select a.member_no
from loyalty.accounts as a
where a.member_no = :member_no
for update
