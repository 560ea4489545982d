-- does:   marks the rows that come after a good row of the same source and id: the first line is the one to record
-- again:  marks the same rows
-- params: none
update import_transactions as r
set later = true
from (
    select source, transaction_id, min(line) as line from import_transactions
    where reason is null
    group by source, transaction_id
    having count(*) > 1
) as first
where r.reason is null and r.source = first.source and r.transaction_id = first.transaction_id and r.line > first.line
