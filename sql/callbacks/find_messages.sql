-- does:   those of some messages that a provider was given: whose they are, and whether it is in doubt that they went
-- again:  reads only
-- params: provider text, messages bigint[]
select
    d.message_no,
    d.member_no,
    o.message_no is not null as in_doubt
from deliveries as d
left join outbox as o on d.message_no = o.message_no and o.state in ('sending', 'unknown')
where d.message_no = any(:messages) and d.provider = :provider
order by d.message_no
