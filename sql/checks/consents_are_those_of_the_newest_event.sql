-- does:   finds members whose consent to a channel is not what its newest event says
-- again:  reads only
-- params: none
with newest as (
    select distinct on (e.member_no, e.channel)
        e.member_no,
        e.channel,
        e.given
    from loyalty.consent_events as e
    where e.purpose = 'service'
    order by e.member_no, e.channel, e.at desc, e.given
)

select
    n.member_no,
    n.channel,
    n.given
from newest as n
inner join loyalty.members as m on n.member_no = m.member_no
where m.erased_at is null and n.given <> case when n.channel = 'email' then m.email_consent else m.sms_consent end
