-- does:   every consent that a member gave or withdrew, oldest first
-- again:  reads only
-- params: member_no bigint
select
    e.at,
    e.channel,
    e.purpose,
    e.given,
    e.source,
    e.wording
from consent_events as e
where e.member_no = :member_no
order by e.at, e.channel, e.purpose, e.given
