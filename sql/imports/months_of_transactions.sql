-- does:   the months in which the rows to record happened, in order, each with how many of them are new
-- again:  reads only
-- params: none
select month, count(*) filter (where corrected_no is null) as transactions
from import_transactions
where reason is null and not unchanged and not later
group by month
order by month
