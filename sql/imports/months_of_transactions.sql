-- does:   the months in which the rows to record happened, in order, each with how many there are
-- again:  reads only
-- params: none
select month, count(*) as transactions
from import_transactions
where reason is null and not unchanged and not later
group by month
order by month
