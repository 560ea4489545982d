-- does:   ends approvals that nobody decided in time: they lapse or, where the rules say so, are escalated and stay open; batches of
--         upgrades lapse with their reviews
-- again:  a lapsed approval is no longer open, an escalated one is marked
-- params: as_of timestamptz, recorded_at timestamptz, lapse boolean
update loyalty.approvals as a
set
    state = case when :lapse then 'lapsed' else a.state end,
    decided_by = case when :lapse then 'system' end,
    decided_at = case when :lapse then cast(:recorded_at as timestamptz) end,
    told = case when :lapse then 'lapsed: not decided in time' end,
    escalated_at = case when :lapse then a.escalated_at else :recorded_at end,
    code_hash = case when not :lapse then a.code_hash end
where a.state = 'open' and a.due_at <= :as_of
    and case when :lapse then a.kind <> 'tier_upgrades' else a.escalated_at is null end
