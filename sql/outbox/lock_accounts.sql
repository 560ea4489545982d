-- does:   locks the accounts of some members, in member order: who sends them offers at the same time waits, and counts them
-- again:  a lock taken twice is one lock
-- params: members bigint[]
select a.member_no from loyalty.accounts as a
where a.member_no = any(:members)
order by a.member_no
for update
