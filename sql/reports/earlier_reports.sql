-- does:   the summaries of the newest revision of each earlier period's report of that kind
-- again:  reads only
-- params: kind text, first date, period date
select distinct on (r.period)
    r.period,
    r.numbers -> 'summary' as summary
from loyalty.reports as r
where r.kind = :kind and r.period >= :first and r.period < :period
order by r.period asc, r.revision desc
