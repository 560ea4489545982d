-- does:   ends reviews that nobody decided in time: they lapse or, where the rules say so, are escalated and stay open
-- again:  a lapsed review is no longer open, an escalated one is marked
-- params: first_member bigint, stop_member bigint, as_of timestamptz, recorded_at timestamptz, version integer
update loyalty.reviews as r
set
    state = case when v.review_overdue = 'lapse' then 'lapsed' else r.state end,
    decided_by = case when v.review_overdue = 'lapse' then 'system' end,
    decided_at = case when v.review_overdue = 'lapse' then :recorded_at end,
    note = case when v.review_overdue = 'lapse' then 'not decided in time' end,
    escalated_at = case when v.review_overdue = 'escalate' then :recorded_at end
from loyalty.rules_versions as v
where v.version = :version and r.state = 'open' and r.due_at <= :as_of
    and (v.review_overdue = 'lapse' or r.escalated_at is null)
    and r.member_no >= :first_member and r.member_no < :stop_member
