-- does:   what the page of an unsubscribe link shows: the programme's name by the rules in force, and a member's language
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
select
    r.name as programme,
    m.language
from rules_in_force as r
left join members as m on m.member_no = :member_no and m.erased_at is null
where r.starts_at <= :as_of and :as_of < r.ends_at
