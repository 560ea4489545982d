-- does:   marks a recompute as posted in a period
-- again:  what is posted stays as it was
-- params: recompute_no bigint, period date, posted_at timestamptz
update loyalty.recomputes as r
set
    posted_period = :period,
    posted_at = :posted_at
where r.recompute_no = :recompute_no and r.posted_at is null
