-- does:   whether any campaign was ever approved
-- again:  reads only
-- params: none
select exists (select from loyalty.campaigns as c where c.state in ('running', 'stopped')) as any_campaign
