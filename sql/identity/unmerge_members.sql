-- does:   undoes a merge, both of whose members' accounts are locked and settled
-- again:  a merge that is undone is not found
-- params: merge_no bigint, undone_by text, at timestamptz
select m.*
from loyalty.merges as g
cross join lateral loyalty.unmerge_members(g, :undone_by, :at) as m
where g.merge_no = :merge_no and g.undone_at is null
