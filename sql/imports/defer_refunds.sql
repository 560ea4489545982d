-- does:   puts the refunds that name a sale aside, until every sale of the file is recorded
-- again:  moves rows between this session's own tables
-- params: none
with deferred as (
    delete from import_transactions
    where reason is null and original_transaction_id is not null
    returning *
)

insert into import_refunds
select * from deferred
