-- does:   finds accounts whose tier, or the instant since when, is not that of the member's newest move
-- again:  reads only
-- params: none
with newest as (
    select distinct on (h.member_no)
        h.member_no,
        h.tier_no,
        h.effective_at
    from loyalty.tier_history as h
    order by h.member_no asc, h.effective_at desc
)

select
    member_no,
    a.tier_no,
    a.tier_since,
    n.tier_no as moved_to,
    n.effective_at
from loyalty.accounts as a
full join newest as n using (member_no)
where a.tier_no is null
    or a.tier_no <> coalesce(n.tier_no, a.tier_no)
    or a.tier_since <> coalesce(n.effective_at, '-infinity')
