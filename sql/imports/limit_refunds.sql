-- does:   rejects the refunds that would take more than is left of their sale; they are taken in the order in which they happened
-- again:  recorded refunds count as taken, so the same rows are rejected
-- params: none
with refunds as (
    select line, sale_period, sale_no, customer_id, occurred_at, transaction_id, amount
    from import_transactions
    where reason is null and not unchanged and not later
),

sales as (
    select
        t.transaction_no as sale_no,
        t.amount - coalesce((select sum(o.amount) from transactions as o where o.sale_no = t.transaction_no), 0)::bigint as room
    from (select distinct sale_period, sale_no, customer_id from refunds) as named
    inner join members as m on named.customer_id = m.customer_id
    inner join transactions as t
        on named.sale_period = t.booked_period and m.member_no = t.member_no and named.sale_no = t.transaction_no
),

taken as (
    select
        r.line, r.sale_no, r.occurred_at, r.transaction_id, r.amount, s.room,
        loyalty.room_left(r.amount, s.room) over (
            partition by r.sale_no order by r.occurred_at, r.transaction_id rows unbounded preceding
        ) as room_left
    from refunds as r
    inner join sales as s on r.sale_no = s.sale_no
),

judged as (
    select
        line,
        amount > coalesce(
            lag(room_left) over (partition by sale_no order by occurred_at, transaction_id), room
        ) as too_much
    from taken
)

update import_transactions as r
set reason = 'refund above its sale'
from judged
where r.line = judged.line and judged.too_much
