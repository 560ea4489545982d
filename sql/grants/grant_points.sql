-- does:   grants points to a member, whose account is locked first as everywhere; no row comes back if that was granted before,
--         to the member or to one merged into it
-- again:  grants_once (member, kind, occasion) refuses a second one
-- params: member_no bigint, kind loyalty.entry_kind, occasion text, points bigint, reason text, at timestamptz
with locked as materialized (
    select a.member_no from loyalty.accounts as a
    where a.member_no = :member_no
    for update
)

insert into loyalty.grants (member_no, kind, occasion, points, reason, granted_at)
select
    l.member_no,
    cast(:kind as loyalty.entry_kind),
    :occasion,
    :points,
    :reason,
    :at
from locked as l
where not exists (
    select from loyalty.members as f
    inner join loyalty.grants as g on f.member_no = g.member_no
    where f.merged_into = l.member_no and g.kind = cast(:kind as loyalty.entry_kind) and g.occasion = :occasion
)
on conflict (member_no, kind, occasion) do nothing
returning grant_no
