-- does:   takes a debit that is posted out of the working table of run -1
-- again:  finds none
-- params: member_no bigint
delete from loyalty.work_points as w
where w.run_no = -1 and w.member_no = :member_no
