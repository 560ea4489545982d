-- does:   marks rows that are recorded already
-- again:  marks the same rows
-- params: none
update import_rates as r
set unchanged = true
from exchange_rates as e
where r.reason is null and not r.later and e.currency = r.currency and e.day = r.day and e.rate = r.rate
