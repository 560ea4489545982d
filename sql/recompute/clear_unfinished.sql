-- does:   clears away recomputes whose process died before they were shown, with all that was computed for them
-- again:  none is left
-- params: none
with unfinished as (
    delete from loyalty.recomputes as r
    where r.approval_no is null
    returning recompute_no
),

scopes as (
    delete from loyalty.recompute_scope
)

delete from loyalty.recompute_rows
