-- does:   lets a campaign run in an earlier time, to be rolled back with its transaction
-- again:  sets the same time
-- params: campaign_no smallint, first_day date, stop_day date
update loyalty.campaigns as c
set
    state = 'running',
    starts_at = loyalty.day_start(:first_day),
    begins_at = loyalty.day_start(:first_day),
    ends_at = loyalty.day_start(:stop_day)
where c.campaign_no = :campaign_no
