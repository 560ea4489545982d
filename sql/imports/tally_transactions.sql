-- does:   counts how the rows of this part ended
-- again:  reads only
-- params: none
select
    count(*) filter (where reason is null and not unchanged) as loaded,
    count(*) filter (where reason is null and corrected_no is not null) as corrected,
    count(*) filter (where unchanged) as unchanged,
    count(*) filter (where reason is not null) as rejected
from import_transactions
where not carried
