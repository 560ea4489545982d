-- does:   writes down what telephone numbers of good rows are as E.164
-- again:  writes the same
-- params: phones text[], numbers text[]
update import_members as r
set phone_number = n.number
from unnest(cast(:phones as text []), cast(:numbers as text [])) as n (phone, number)
where r.phone = n.phone and n.number is not null and r.reason is null
