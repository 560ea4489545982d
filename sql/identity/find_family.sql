-- does:   the numbers of the members whose books are one person's: the member and all who are merged into it
-- again:  reads only
-- params: member_no bigint
select loyalty.family_of(:member_no) as members
