-- does:   finds registered codes that are not twelve symbols and the check symbol that belongs to them
-- again:  reads only
-- params: none
with symbols as (
    select '0123456789CFHJKMNPRTVWX' as alphabet
)

select c.code
from loyalty.voucher_codes as c
cross join symbols as s
cross join lateral (
    select
        bool_and(strpos(s.alphabet, substr(c.code, place, 1)) > 0) as known,
        sum(place * (strpos(s.alphabet, substr(c.code, place, 1)) - 1)) filter (where place <= 12) as total
    from generate_series(1, 13) as place
) as read
where length(c.code) <> 13
    or not read.known
    or substr(s.alphabet, (read.total % 23)::integer + 1, 1) <> substr(c.code, 13, 1)
