-- does:   locks the accounts of a range whose members bought in the time of a campaign that has budget left, and were not awarded for it
-- again:  changes nothing
-- params: period date, first_member bigint, stop_member bigint, at timestamptz
select a.member_no
from loyalty.accounts as a
where a.member_no in (
    select t.member_no
    from loyalty.transactions as t
    inner join loyalty.campaigns as c
        on c.gives <> 'voucher' and c.state in ('running', 'stopped') and c.spent < c.budget and :at < loyalty.campaign_counts_until(c)
        and t.occurred_at >= c.begins_at and t.occurred_at < loyalty.campaign_until(c)
    inner join loyalty.campaign_members as d
        on c.campaign_no = d.campaign_no and t.member_no = d.member_no and not d.held_out
    where t.booked_period = :period and t.kind = 'sale'
        and t.member_no >= :first_member and t.member_no < :stop_member
        and not exists (select from loyalty.campaign_awards as w where w.transaction_no = t.transaction_no)
)
order by a.member_no
for update
