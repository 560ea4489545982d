-- does:   an event for each consent in which a good row differs from the member it is of
-- again:  consent_events_once refuses the same event
-- params: at timestamptz, wording text
with changed as materialized (
    select
        m.member_no,
        r.email_consent as email,
        m.email_consent as email_held,
        r.sms_consent as sms,
        m.sms_consent as sms_held
    from import_members as r
    inner join members as m on r.customer_id = m.customer_id
    where r.reason is null and not r.unchanged and not r.later
        and (r.email_consent <> m.email_consent or r.sms_consent <> m.sms_consent)
    order by m.member_no
    for update of m
)

insert into consent_events (member_no, channel, purpose, at, given, source, wording)
select
    c.member_no,
    s.channel,
    'service',
    :at,
    s.given,
    'import',
    cast(:wording as text)
from changed as c
cross join lateral (values ('email', c.email, c.email_held), ('sms', c.sms, c.sms_held)) as s (channel, given, held)
where s.given <> s.held
on conflict on constraint consent_events_once do nothing
