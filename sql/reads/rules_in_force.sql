-- does:   the version of the rules in force in a period, and its text
-- again:  reads only
-- params: period date
select
    r.version,
    r.document
from loyalty.rules_in_force as r
where r.from_period <= :period and :period < r.until_period
