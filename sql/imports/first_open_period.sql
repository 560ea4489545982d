-- does:   the earliest period that can still be booked to: the month after the newest one closing or closed, if any
-- again:  reads only
-- params: none
select (max(period) + interval '1 month')::date from periods
where state <> 'open'
