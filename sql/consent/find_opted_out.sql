-- does:   the members to whom a provider declined messages since they had opted out there, with the provider
-- again:  reads only
-- params: messages bigint[]
select distinct
    d.member_no,
    d.provider
from deliveries as d
where d.message_no = any(:messages) and d.fault = 'opted out'
order by d.member_no
