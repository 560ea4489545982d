-- does:   marks rows that say nothing new of a member, and rejects those of people who were erased or merged into others
-- again:  marks the same rows
-- params: none
update import_members as r
set
    reason = case
        when m.erased_at is not null then 'the member is erased'
        when m.merged_into is not null then 'the member is merged into another'
    end,
    unchanged = m.erased_at is null and m.merged_into is null
from members as m
where m.customer_id = r.customer_id and r.reason is null
    and (
        m.erased_at is not null
        or m.merged_into is not null
        or coalesce(r.email, m.email) is not distinct from m.email
        and coalesce(r.phone, m.phone) is not distinct from m.phone
        and coalesce(r.first_name, m.first_name) is not distinct from m.first_name
        and coalesce(r.last_name, m.last_name) is not distinct from m.last_name
        and coalesce(r.birthday, m.birthday) is not distinct from m.birthday
        and coalesce(r.joined_on, m.joined_on) is not distinct from m.joined_on
        and coalesce(r.time_zone, m.time_zone) is not distinct from m.time_zone
        and coalesce(r.language, m.language) is not distinct from m.language
        and coalesce(r.email_consent, m.email_consent) = m.email_consent
        and coalesce(r.sms_consent, m.sms_consent) = m.sms_consent
    )
