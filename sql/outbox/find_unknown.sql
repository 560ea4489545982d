-- does:   messages of which nobody knows whether they went out, the oldest first; never an address
-- again:  reads only
-- params: most integer
select
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
order by o.message_no
limit :most
