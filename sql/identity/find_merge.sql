-- does:   the merge by which a customer_id leads to another member, and whether a later one must be undone first
-- again:  reads only
-- params: customer_id text
select
    g.merge_no,
    g.kept_no,
    g.lost_no,
    k.merged_into is not null
    or exists (
        select from loyalty.merges as o
        where o.kept_no = g.kept_no and o.undone_at is null and o.merge_no > g.merge_no
    ) as later
from loyalty.members as m
inner join loyalty.merges as g on m.member_no = g.lost_no and g.undone_at is null
inner join loyalty.members as k on g.kept_no = k.member_no
where m.customer_id = :customer_id and m.erased_at is null
