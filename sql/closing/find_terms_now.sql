-- does:   the version of the rules in force at an instant, and which member numbers there are
-- again:  reads only
-- params: as_of timestamptz
select
    r.version,
    coalesce((select min(m.member_no) from loyalty.members as m), 1) as first_member,
    coalesce((select max(m.member_no) from loyalty.members as m), 0) + 1 as stop_member
from loyalty.rules_in_force as r
where r.starts_at <= :as_of and :as_of < r.ends_at
