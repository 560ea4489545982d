-- does:   the vouchers that the period's upgrades brought, archived ones too, by the tier reached and the tier held until then
-- again:  reads only
-- params: period date
with issued as (
    select
        v.member_no,
        v.tier_no,
        v.amount,
        v.issued_at
    from loyalty.vouchers as v
    where v.period = :period
    union all
    select
        a.member_no,
        a.tier_no,
        a.amount,
        a.issued_at
    from loyalty.voucher_archive as a
    where a.period = :period
)

select
    i.tier_no,
    coalesce(h.from_tier_no, i.tier_no) as tier_held,
    count(*) as vouchers,
    sum(i.amount) as amount
from issued as i
left join loyalty.tier_history as h
    on i.member_no = h.member_no and i.issued_at = h.effective_at and h.effective_at >= loyalty.period_start(:period)
group by i.tier_no, coalesce(h.from_tier_no, i.tier_no)
order by i.tier_no, coalesce(h.from_tier_no, i.tier_no)
