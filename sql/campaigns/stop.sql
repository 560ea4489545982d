-- does:   ends a campaign that runs, as of an instant; whether it ran
-- again:  one that was stopped stays as it was
-- params: name text, stopped_by text, at timestamptz
update loyalty.campaigns as c
set state = 'stopped', stopped_at = :at, stopped_by = :stopped_by
where c.name = :name and c.state = 'running' and c.ends_at > :at
returning c.campaign_no
