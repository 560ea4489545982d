-- does:   stops all booking to a period: waits for writers that share-lock its row, then marks it closing
-- again:  a period that is closing stays closing
-- params: period date
update loyalty.periods as p
set state = 'closing'
where p.period = :period and p.state in ('open', 'closing')
