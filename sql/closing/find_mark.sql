-- does:   the rows a step wrote for a range, if its mark is there
-- again:  reads only
-- params: run_no bigint, step text, first_member bigint, stop_member bigint
select m.rows
from loyalty.work_marks as m
where m.run_no = :run_no and m.step = :step and m.first_member <= :first_member and m.stop_member >= :stop_member
