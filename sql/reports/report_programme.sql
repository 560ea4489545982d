-- does:   the rules by which a period is reported: those of its close, or before it those in force in that month
-- again:  reads only
-- params: period date
select
    r.version,
    r.name,
    r.currency,
    r.point_value,
    coalesce(p.state, 'open') as state
from loyalty.rules_versions as r
left join loyalty.periods as p on p.period = :period
where r.version = coalesce(
    (select d.rules_version from loyalty.closes as d where d.period = :period),
    (
        select f.version from loyalty.rules_in_force as f
        where f.from_period <= :period and :period < f.until_period
    )
)
