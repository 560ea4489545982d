-- does:   forgets what was counted of hours, days and months that began before an instant
-- again:  finds none
-- params: before timestamptz
delete from loyalty.velocity_counts as c
where c.starts_at < cast(:before as timestamptz) at time zone 'UTC'
