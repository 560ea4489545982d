-- does:   lets a campaign begin that was asked for: at an instant, or at its start if that comes later; nothing if its time is over by then
-- again:  one that runs is not found
-- params: campaign_no smallint, at timestamptz
update loyalty.campaigns as c
set state = 'running', begins_at = greatest(c.starts_at, :at)
where c.campaign_no = :campaign_no and c.state = 'asked' and c.ends_at > :at
