-- does:   the lines of the bad rows with their reasons, in the order of the file
-- again:  reads only
-- params: none
select line, reason from import_rejects
order by line
