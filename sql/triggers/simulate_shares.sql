-- does:   counts the members who bought in a month, and the days it has
-- again:  reads only
-- params: period date
select
    count(distinct t.member_no) as members,
    extract(day from cast(:period + interval '1 month' as date) - 1)::bigint as days
from loyalty.transactions as t
where t.booked_period = :period and t.kind = 'sale'
