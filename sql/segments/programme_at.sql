-- does:   what the programme is called at an instant, its currency and zone
-- again:  reads only
-- params: at timestamptz
select
    v.name,
    v.currency,
    v.minor_digits,
    v.point_value,
    g.time_zone
from loyalty.rules_in_force as v
cross join loyalty.programme as g
where v.starts_at <= :at and :at < v.ends_at
