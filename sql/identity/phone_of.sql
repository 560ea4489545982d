-- does:   the telephone number of a member as it was given
-- again:  reads only
-- params: member_no bigint
select m.phone from loyalty.members as m
where m.member_no = :member_no
