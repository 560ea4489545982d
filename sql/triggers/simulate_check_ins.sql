-- does:   counts members who bought at a location in a month, and on how many days at how many of them: check-ins, had each been one
-- again:  reads only
-- params: period date
select
    count(distinct v.member_no) as members,
    count(*) as grants
from (
    select distinct t.member_no, t.location, (t.occurred_at at time zone p.time_zone)::date as day
    from loyalty.transactions as t
    cross join loyalty.programme as p
    where t.booked_period = :period and t.kind = 'sale' and t.location is not null
) as v
