-- does:   locks a campaign, or all that give points and have begun (null), so that their budgets are spent by one at a time
-- again:  changes nothing
-- params: campaign_no smallint
select c.campaign_no
from loyalty.campaigns as c
where c.campaign_no = :campaign_no
    or (cast(:campaign_no as smallint) is null and c.gives <> 'voucher' and c.state in ('running', 'stopped'))
order by c.campaign_no
for update
