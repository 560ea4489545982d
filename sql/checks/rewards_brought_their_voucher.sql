-- does:   finds vouchers kept twice, not at all, without a reward, or of another member or tier than their reward's
-- again:  reads only
-- params: none
with kept as (
    select
        v.code,
        v.member_no,
        v.tier_no
    from loyalty.vouchers as v
    union all
    select
        a.code,
        a.member_no,
        a.tier_no
    from loyalty.voucher_archive as a
),

counted as (
    select
        k.code,
        min(k.member_no) as member_no,
        min(k.tier_no) as tier_no,
        count(*) as copies
    from kept as k
    group by k.code
)

select
    coalesce(w.member_no, k.member_no) as member_no,
    coalesce(w.tier_no, k.tier_no) as tier_no,
    w.earned_at,
    coalesce(k.copies, 0) as copies
from (select * from loyalty.rewards as r where r.voucher_code is not null) as w
full join counted as k on w.voucher_code = k.code
where (w.member_no, w.tier_no, 1) is distinct from (k.member_no, k.tier_no, k.copies)
