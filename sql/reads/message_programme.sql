-- does:   the programme's zone, and the rules in force at an instant, which name it, its languages and its quiet hours
-- again:  reads only
-- params: as_of timestamptz
select
    p.time_zone,
    r.version,
    r.document
from loyalty.programme as p
inner join loyalty.rules_in_force as r on r.starts_at <= :as_of and :as_of < r.ends_at
