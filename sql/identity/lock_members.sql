-- does:   locks the accounts of members, in order
-- again:  locks what is locked
-- params: members bigint[]
select a.member_no from loyalty.accounts as a
where a.member_no = any(:members)
order by a.member_no
for update
