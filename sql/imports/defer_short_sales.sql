-- does:   puts aside the corrections of sales of which more is refunded: refunds of the same file may be corrected too
-- again:  moves rows between this session's own tables
-- params: none
with deferred as (
    delete from import_transactions as r
    where r.reason is null and r.corrected_no is not null and r.amount < (
        select sum(case o.kind when 'refund' then o.amount else -o.amount end) from transactions as o
        where o.sale_no = r.corrected_no
    )
    returning *
)

insert into import_refunds
select * from deferred
