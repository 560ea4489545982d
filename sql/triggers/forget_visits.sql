-- does:   forgets the totals of visits that a rule counted which is no longer in force
-- again:  they are gone
-- params: since date
delete from loyalty.visit_totals as t
where t.since < :since
