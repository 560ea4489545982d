-- does:   the number of the member that a customer_id leads to, or null; and whether it is that of somebody who was erased
-- again:  reads only
-- params: customer_id text
select
    loyalty.member_called(:customer_id) as member_no,
    loyalty.is_erased('customer_id', '', :customer_id)
    or exists (select from loyalty.members as m where m.customer_id = :customer_id and m.erased_at is not null) as erased
