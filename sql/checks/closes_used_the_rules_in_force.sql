-- does:   finds closes by another version of the rules than the one in force for their period
-- again:  reads only
-- params: none
select
    c.period,
    c.rules_version,
    r.version as in_force
from loyalty.closes as c
left join loyalty.rules_in_force as r on r.from_period <= c.period and c.period < r.until_period
where c.rules_version is distinct from r.version
