-- does:   the newest revision of a report
-- again:  reads only
-- params: period date, kind text
select
    r.revision,
    r.made_at,
    r.numbers
from loyalty.reports as r
where r.period = :period and r.kind = :kind
order by r.revision desc
limit 1
