-- does:   finds members for whom the books have no part
-- again:  reads only
-- params: none
select m.member_no
from loyalty.members as m
where m.member_no > loyalty.member_parts() * loyalty.members_per_part()
