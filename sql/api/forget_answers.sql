-- does:   forgets first answers that are older than an instant
-- again:  finds none
-- params: before timestamptz
delete from answers as a
where a.answered_at < :before
