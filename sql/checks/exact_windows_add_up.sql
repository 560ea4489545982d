-- does:   finds accounts whose exact sum is not its window, what is older and what names no sale
-- again:  reads only
-- params: none
select
    a.member_no,
    a.exact_sum,
    a.exact_before_window,
    a.exact_unnamed,
    a.exact_window
from loyalty.accounts as a
cross join lateral (
    select coalesce(sum(w.exact), 0) as exact from unnest(a.exact_window) as w (exact)
) as recent
where a.exact_sum <> a.exact_before_window + a.exact_unnamed + recent.exact or cardinality(a.exact_window) > 12
