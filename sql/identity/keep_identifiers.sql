-- does:   keeps a member's e-mail address and telephone number among the identifiers, and no others of these kinds
-- again:  keeps the same
-- params: member_no bigint, phone_number text
with wanted as materialized (
    select
        w.kind,
        w.value
    from loyalty.members as m
    cross join lateral (
        values ('email', loyalty.folded_email(m.email)), ('phone', cast(:phone_number as text))
    ) as w (kind, value)
    where m.member_no = :member_no and w.value <> ''
),

gone as (
    delete from loyalty.identifiers as i
    where i.member_no = :member_no and i.kind in ('email', 'phone') and i.origin_no is null
        and not exists (select from wanted as w where w.kind = i.kind and w.value = i.value)
)

insert into loyalty.identifiers (kind, value, member_no)
select
    w.kind,
    w.value,
    :member_no
from wanted as w
on conflict do nothing
