-- does:   tells the planner of this part's rows
-- again:  does the same
-- params: none
analyze import_members
