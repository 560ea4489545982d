-- does:   finds moves that no statement, no approved review and no merge made, and moves of closed periods' statements that were not made
-- again:  reads only
-- params: none
select
    h.member_no,
    h.effective_at,
    h.from_tier_no,
    h.tier_no
from loyalty.tier_history as h
left join loyalty.periods as p on h.period = p.period
left join loyalty.statements as s on h.period = s.period and h.member_no = s.member_no
left join loyalty.reviews as r on h.review_no = r.review_no
where case
    when exists (select from loyalty.merges as g where g.kept_no = h.member_no and g.tier_moved_at = h.effective_at) then false
    when h.review_no is null
        then (h.effective_at, h.from_tier_no, h.tier_no) is distinct from (p.ends_at, s.tier_held, s.tier_after)
    else (h.member_no, h.effective_at, h.tier_no, 'approved') is distinct from (
        r.member_no, r.effective_at, r.tier_no, r.state
    )
end
union all
select
    s.member_no,
    p.ends_at,
    s.tier_held,
    s.tier_after
from loyalty.statements as s
inner join loyalty.periods as p on s.period = p.period and p.state = 'closed'
left join loyalty.tier_history as h
    on s.member_no = h.member_no and p.ends_at = h.effective_at and s.tier_after = h.tier_no
where s.tier_after <> s.tier_held and h.member_no is null
