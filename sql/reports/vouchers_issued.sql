-- does:   the vouchers that the period's upgrades brought, archived ones too, by the tier reached and the tier held until then
-- again:  reads only
-- params: period date
with issued as (
    select
        v.tier_no,
        v.from_tier_no,
        v.amount
    from loyalty.vouchers as v
    where v.period = :period and v.tier_no > 0
    union all
    select
        a.tier_no,
        a.from_tier_no,
        a.amount
    from loyalty.voucher_archive as a
    where a.period = :period and a.tier_no > 0
)

select
    i.tier_no,
    i.from_tier_no as tier_held,
    count(*) as vouchers,
    sum(i.amount) as amount
from issued as i
group by i.tier_no, i.from_tier_no
order by i.tier_no, i.from_tier_no
