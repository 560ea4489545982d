-- does:   writes what good rows say into the members they are of; what they leave empty stays
-- again:  writes the same
-- params: at timestamptz
update members as m
set
    email = coalesce(r.email, m.email),
    phone = coalesce(r.phone, m.phone),
    first_name = coalesce(r.first_name, m.first_name),
    last_name = coalesce(r.last_name, m.last_name),
    birthday = coalesce(r.birthday, m.birthday),
    joined_on = coalesce(r.joined_on, m.joined_on),
    time_zone = coalesce(r.time_zone, m.time_zone),
    language = coalesce(r.language, m.language),
    email_consent = coalesce(r.email_consent, m.email_consent),
    sms_consent = coalesce(r.sms_consent, m.sms_consent),
    contact_changed_at = case
        when r.email <> coalesce(m.email, '') or r.phone <> coalesce(m.phone, '') then :at
        else m.contact_changed_at
    end
from import_members as r
where r.customer_id = m.customer_id and r.reason is null and not r.unchanged and not r.later
