-- does:   all versions of the rules, oldest first; from_period is null since the beginning, overruled says whether a later version
--         took the place of this one from its first month on
-- again:  reads only
-- params: none
select
    v.version,
    nullif(v.from_period, '-infinity') as from_period,
    v.applied_at,
    v.applied_by,
    exists (
        select from loyalty.rules_versions as n
        where not n.candidate and n.from_period = v.from_period and n.version > v.version
    ) as overruled
from loyalty.rules_versions as v
where not v.candidate
order by v.version
