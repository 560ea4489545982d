-- What a member's fields may hold: one rule for files and for the API. Each function gives null for null.

create function loyalty.is_email(word text) returns boolean language sql immutable parallel safe as $$
    select word ~ '^[^@[:space:]",;:<>()]+@[^@[:space:]",;:<>().]+([.][^@[:space:]",;:<>().]+)+$'
$$;

create function loyalty.is_phone(word text) returns boolean language sql immutable parallel safe as $$
    select word ~ '^[+]?[0-9 ()./-]+$' and length(translate(word, '+ ()./-', '')) between 5 and 15
$$;

create function loyalty.is_language(word text) returns boolean language sql immutable parallel safe as $$
    select word ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$'
$$;
