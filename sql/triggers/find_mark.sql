-- does:   the day up to which the daily run has looked
-- again:  reads only
-- params: none
select m.through from loyalty.milestone_marks as m
