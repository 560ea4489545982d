-- does:   marks the rows that come after a good row of the same day and currency: the first line is the one to record
-- again:  marks the same rows
-- params: none
update import_rates as r
set
    later = true,
    unchanged = r.rate = first.rate,
    reason = case when r.rate <> first.rate then 'same day and currency with another rate' end
from (
    select distinct on (currency, day) currency, day, rate, line from import_rates
    where reason is null
    order by currency, day, line
) as first
where r.reason is null and r.currency = first.currency and r.day = first.day and r.line > first.line
