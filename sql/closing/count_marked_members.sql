-- does:   how many member numbers a run's marks of a step cover
-- again:  reads only
-- params: run_no bigint, step text
select coalesce(sum(m.stop_member - m.first_member), 0)::bigint as members
from loyalty.work_marks as m
where m.run_no = :run_no and m.step = :step
