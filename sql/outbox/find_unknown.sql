-- does:   messages to members and to staff of which nobody knows whether they went out, the oldest first; never an address
-- again:  reads only
-- params: most integer
select *
from (
    select
        false as to_staff,
        o.message_no,
        o.kind::text as kind,
        o.member_no,
        o.channel,
        d.provider,
        d.attempted_at,
        o.tries,
        o.reason
    from loyalty.outbox as o
    inner join loyalty.deliveries as d on o.message_no = d.message_no
    where o.state = 'unknown'
    union all
    select
        true,
        s.message_no,
        s.kind,
        null,
        'staff',
        null,
        null,
        s.tries,
        s.reason
    from loyalty.staff_messages as s
    where s.state = 'unknown'
) as u
order by u.to_staff, u.message_no
limit :most
