-- does:   locks the accounts of members in member order, then keeps consents given or withdrawn by those of them who are not erased
-- again:  consent_events_once refuses the same event
-- params: members bigint[], channels text[], purposes text[], given boolean[], instants timestamptz[], sources text[], wordings text[]
with locked as materialized (
    select a.member_no from accounts as a
    where a.member_no = any(:members)
    order by a.member_no
    for update
)

insert into consent_events (member_no, channel, purpose, at, given, source, wording)
select
    s.member_no,
    s.channel,
    s.purpose,
    s.at,
    s.given,
    s.source,
    s.wording
from unnest(
    cast(:members as bigint []), cast(:channels as text []), cast(:purposes as text []), cast(:given as boolean []),
    cast(:instants as timestamptz []), cast(:sources as text []), cast(:wordings as text [])
) as s (member_no, channel, purpose, given, at, source, wording)
inner join locked as l on s.member_no = l.member_no
inner join members as m on s.member_no = m.member_no and m.erased_at is null
on conflict on constraint consent_events_once do nothing
