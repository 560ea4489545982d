-- does:   the messages of members, locked, so that no delivery is at them
-- again:  locks what is locked
-- params: members bigint[]
select
    o.message_no,
    o.kind::text as kind,
    o.channel,
    to_char(o.queued_at at time zone p.time_zone, 'YYYY-MM-DD') as queued_on
from loyalty.outbox as o
cross join loyalty.programme as p
where o.member_no = any(:members)
order by o.message_no
for update of o
