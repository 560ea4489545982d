-- does:   marks a step of a run as done for a range of members, in the transaction of the step
-- again:  the key (run, step, first member) makes a repeat write nothing
-- params: run_no bigint, step text, first_member bigint, stop_member bigint, rows bigint
insert into loyalty.work_marks (run_no, step, first_member, stop_member, rows)
values (:run_no, :step, :first_member, :stop_member, :rows)
on conflict (run_no, step, first_member) do nothing
