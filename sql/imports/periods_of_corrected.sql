-- does:   the periods to which the rows are booked that are to be corrected, in order
-- again:  reads only
-- params: none
select distinct corrected_period
from import_transactions
where reason is null and corrected_no is not null
order by corrected_period
