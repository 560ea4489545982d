-- does:   folds the rows of one customer into the last of them, where each column keeps its last value given
-- again:  folds to the same row
-- params: none
with folded as (
    select
        customer_id,
        max(line) as last_line,
        (array_agg(email order by line desc) filter (where email is not null))[1] as email,
        (array_agg(phone order by line desc) filter (where phone is not null))[1] as phone,
        (array_agg(first_name order by line desc) filter (where first_name is not null))[1] as first_name,
        (array_agg(last_name order by line desc) filter (where last_name is not null))[1] as last_name,
        (array_agg(birthday order by line desc) filter (where birthday is not null))[1] as birthday,
        (array_agg(joined_on order by line desc) filter (where joined_on is not null))[1] as joined_on,
        (array_agg(time_zone order by line desc) filter (where time_zone is not null))[1] as time_zone,
        (array_agg(language order by line desc) filter (where language is not null))[1] as language,
        (array_agg(email_consent order by line desc) filter (where email_consent is not null))[1] as email_consent,
        (array_agg(sms_consent order by line desc) filter (where sms_consent is not null))[1] as sms_consent
    from import_members
    where reason is null and customer_id in (
        select customer_id from import_members
        where reason is null
        group by customer_id
        having count(*) > 1
    )
    group by customer_id
)

update import_members as r
set
    later = r.line <> f.last_line,
    email = f.email,
    phone = f.phone,
    first_name = f.first_name,
    last_name = f.last_name,
    birthday = f.birthday,
    joined_on = f.joined_on,
    time_zone = f.time_zone,
    language = f.language,
    email_consent = f.email_consent,
    sms_consent = f.sms_consent
from folded as f
where r.customer_id = f.customer_id and r.reason is null
