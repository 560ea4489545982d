-- does:   tells the planner of the many new rows and marks their pages as visible to all
-- again:  does the same; a table that somebody holds is skipped
-- params: none
vacuum (analyze, skip_locked) members, accounts, transaction_keys, transactions
