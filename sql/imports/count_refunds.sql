-- does:   how many refunds were put aside
-- again:  reads only
-- params: none
select count(*) from import_refunds
