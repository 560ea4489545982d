-- does:   sets members' consents to e-mail and SMS to what their newest events say
-- again:  finds them so, and changes nothing
-- params: members bigint[]
with newest as (
    select
        m.member_no,
        coalesce(loyalty.newest_consent(m.member_no, 'email', 'service'), m.email_consent) as email_consent,
        coalesce(loyalty.newest_consent(m.member_no, 'sms', 'service'), m.sms_consent) as sms_consent
    from members as m
    where m.member_no = any(:members) and m.erased_at is null
)

update members as m
set
    email_consent = n.email_consent,
    sms_consent = n.sms_consent
from newest as n
where m.member_no = n.member_no and (m.email_consent, m.sms_consent) <> (n.email_consent, n.sms_consent)
