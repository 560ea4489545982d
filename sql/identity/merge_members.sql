-- does:   merges one member into another, both of whose accounts are locked and settled
-- again:  one open merge of a lost member refuses a second
-- params: kept bigint, lost bigint, merged_by text, at timestamptz
select m.*
from loyalty.merge_members(:kept, :lost, :merged_by, :at) as m
