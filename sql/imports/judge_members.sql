-- does:   turns the words of each member's row into values, or finds the reason why the row can't be taken
-- again:  writes into this session's own tables, emptied before each part of the file
-- params: tomorrow date
insert into import_members (
    line, customer_id, email, phone, first_name, last_name, birthday, joined_on, time_zone, language,
    email_consent, sms_consent, reason
)
select
    w.line, w.customer_id, w.email, w.phone, w.first_name, w.last_name, w.birthday, w.joined_on, w.time_zone, w.language,
    w.email_consent, w.sms_consent,
    case
        when w.customer_id is null then 'empty customer_id'
        when
            length(w.customer_id) > 200 or length(w.email) > 320 or length(w.phone) > 40
            or length(w.first_name) > 200 or length(w.last_name) > 200
            then 'over-long field'
        when not loyalty.is_email(w.email) then 'wrong email'
        when not loyalty.is_phone(w.phone) then 'wrong phone'
        when w.birthday_given and w.birthday is null or w.birthday > :tomorrow then 'wrong birthday'
        when w.joined_on_given and w.joined_on is null or w.joined_on > :tomorrow then 'wrong joined_on'
        when
            w.time_zone is not null
            and w.time_zone not in (select z.name from pg_timezone_names as z where z.name ~ '^[A-Z]')
            then 'wrong time_zone'
        when not loyalty.is_language(w.language) then 'wrong language'
        when w.email_consent_given and w.email_consent is null then 'wrong email_consent'
        when w.sms_consent_given and w.sms_consent is null then 'wrong sms_consent'
    end
from (
    select
        r.line, r.customer_id, r.email, r.phone, r.first_name, r.last_name, r.time_zone, r.language,
        case when loyalty.is_iso_date(r.birthday) then r.birthday::date end as birthday,
        case when loyalty.is_iso_date(r.joined_on) then r.joined_on::date end as joined_on,
        case
            when lower(r.email_consent) in ('true', 'yes', '1') then true
            when lower(r.email_consent) in ('false', 'no', '0') then false
        end as email_consent,
        case
            when lower(r.sms_consent) in ('true', 'yes', '1') then true
            when lower(r.sms_consent) in ('false', 'no', '0') then false
        end as sms_consent,
        r.birthday is not null as birthday_given,
        r.joined_on is not null as joined_on_given,
        r.email_consent is not null as email_consent_given,
        r.sms_consent is not null as sms_consent_given
    from import_members_raw as r
    offset 0
) as w
