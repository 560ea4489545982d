-- does:   members who are merged into others and have points, or owe some, since
-- again:  reads only
-- params: none
select m.member_no, m.merged_into
from loyalty.members as m
inner join loyalty.accounts as a on m.member_no = a.member_no
where m.merged_into is not null and m.erased_at is null and a.balance <> 0
order by m.member_no
