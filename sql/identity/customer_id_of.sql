-- does:   the customer_id of a member
-- again:  reads only
-- params: member_no bigint
select m.customer_id from loyalty.members as m
where m.member_no = :member_no
