-- does:   the versions of the rules in force up to a month, the newest first, with the months that each rules
-- again:  reads only
-- params: through date
select
    r.version,
    r.document,
    greatest(r.from_period, date '0001-01-01') as from_period,
    least(r.until_period, date '9999-12-01') as until_period
from loyalty.rules_in_force as r
where r.from_period <= :through
order by r.from_period desc
