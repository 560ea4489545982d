-- does:   writes the fields named in `given` into a member who is not erased; null empties one
-- again:  writes the same
-- params: customer_id text, given text[], email text, phone text, first_name text, last_name text, birthday date, joined_on date, time_zone text, language text, email_consent boolean, sms_consent boolean, at timestamptz
update members as m
set
    email = case when 'email' = any(:given) then :email else m.email end,
    phone = case when 'phone' = any(:given) then :phone else m.phone end,
    first_name = case when 'first_name' = any(:given) then :first_name else m.first_name end,
    last_name = case when 'last_name' = any(:given) then :last_name else m.last_name end,
    birthday = case when 'birthday' = any(:given) then :birthday else m.birthday end,
    joined_on = case when 'joined_on' = any(:given) then :joined_on else m.joined_on end,
    time_zone = case when 'time_zone' = any(:given) then :time_zone else m.time_zone end,
    language = case when 'language' = any(:given) then :language else m.language end,
    email_consent = case when 'email_consent' = any(:given) then :email_consent else m.email_consent end,
    sms_consent = case when 'sms_consent' = any(:given) then :sms_consent else m.sms_consent end,
    contact_changed_at = case
        when ('email' = any(:given) and m.email is distinct from :email)
            or ('phone' = any(:given) and m.phone is distinct from :phone) then :at
        else m.contact_changed_at
    end
where m.member_no = loyalty.member_called(:customer_id) and m.erased_at is null
returning m.member_no, m.phone
