-- does:   locks a member who is not erased, and keeps an event for each consent given here that differs from what the member's row says
-- again:  consent_events_once refuses the same event; once the row says the same there is none to keep
-- params: customer_id text, email_consent boolean, sms_consent boolean, at timestamptz, source text, wording text
with locked as materialized (
    select
        m.member_no,
        m.email_consent,
        m.sms_consent
    from members as m
    where m.member_no = loyalty.member_called(:customer_id) and m.erased_at is null
    for update
)

insert into consent_events (member_no, channel, purpose, at, given, source, wording)
select
    l.member_no,
    s.channel,
    'service',
    :at,
    s.given,
    :source,
    cast(:wording as text)
from locked as l
cross join lateral (
    values ('email', cast(:email_consent as boolean), l.email_consent), ('sms', cast(:sms_consent as boolean), l.sms_consent)
) as s (channel, given, held)
where s.given <> s.held
on conflict on constraint consent_events_once do nothing
