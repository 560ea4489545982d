-- does:   takes one share of the refunds put aside, all those of a sale in the same share
-- again:  reads and writes this session's own tables, emptied before each share
-- params: share integer, shares integer
insert into import_transactions
select * from import_refunds
where abs(hashtext(original_transaction_id)::bigint) % :shares = :share
