-- does:   takes the corrections of sales that were put aside back, once all refunds are recorded
-- again:  writes into this session's own tables, once an import
-- params: none
insert into import_transactions
select * from import_refunds
where original_transaction_id is null
