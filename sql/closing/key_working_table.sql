-- does:   gives the batch that a step has just written its key, which costs a fifth of what keeping it meanwhile would
-- again:  the key is there already
-- params: work_table text, run_no bigint, first_member bigint
select loyalty.key_working_table(:work_table, :run_no, :first_member)
