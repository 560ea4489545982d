-- does:   locks the accounts of a range whose members have an award of which a refund, or a correction, of the period is about
-- again:  changes nothing
-- params: period date, first_member bigint, stop_member bigint
select a.member_no
from loyalty.accounts as a
where a.member_no in (
    select w.member_no
    from loyalty.transactions as t
    inner join loyalty.campaign_awards as w on t.sale_no = w.transaction_no
    where t.booked_period = :period and t.sale_no is not null
        and t.member_no >= :first_member and t.member_no < :stop_member
    union all
    select w.member_no
    from loyalty.corrections as k
    inner join loyalty.transactions as t on k.reversal_no = t.transaction_no
    inner join loyalty.campaign_awards as w on k.corrected_no = w.transaction_no
    where t.booked_period = :period
        and t.member_no >= :first_member and t.member_no < :stop_member and k.member_no = t.member_no
)
order by a.member_no
for update
