-- does:   messages of a provider of which nobody knows whether they went out, with what it takes to look for them there
-- again:  reads only
-- params: provider text, attempted_before timestamptz, after bigint, most integer
select
    o.message_no,
    m.phone,
    d.attempted_at,
    d.digest
from loyalty.outbox as o
inner join loyalty.deliveries as d on o.message_no = d.message_no
inner join loyalty.members as m on o.member_no = m.member_no
where o.state = 'unknown' and d.provider = :provider and d.attempted_at < :attempted_before and o.message_no > :after
order by o.message_no
limit :most
