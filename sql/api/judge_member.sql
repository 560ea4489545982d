-- does:   the names of those fields of a member that hold what they can't
-- again:  reads only
-- params: email text, phone text, birthday date, joined_on date, time_zone text, language text, tomorrow date
select array_remove(array[
    case when not loyalty.is_email(:email) then 'email' end,
    case when not loyalty.is_phone(:phone) then 'phone' end,
    case when :birthday > :tomorrow then 'birthday' end,
    case when :joined_on > :tomorrow then 'joined_on' end,
    case
        when cast(:time_zone as text) is not null
            and :time_zone not in (select z.name from pg_timezone_names as z where z.name ~ '^[A-Z]') then 'time_zone'
    end,
    case when not loyalty.is_language(:language) then 'language' end
], null) as wrong
