-- does:   rejects the refunds that would take more than is left of their sale; they are taken in the order in which they happened,
--         a correction by what it adds, and before all others if it gives something back
-- again:  recorded refunds count as taken, so the same rows are rejected
-- params: none
with refunds as (
    select
        r.line, r.sale_period, r.sale_no, r.customer_id, r.occurred_at, r.transaction_id,
        r.amount - coalesce(c.amount, 0) as amount
    from import_transactions as r
    left join transactions as c
        on r.corrected_period = c.booked_period and r.corrected_member_no = c.member_no and r.corrected_no = c.transaction_no
        and r.sale_no = c.sale_no
    where r.reason is null and not r.unchanged and not r.later
),

sales as (
    select
        t.transaction_no as sale_no,
        t.amount - coalesce((
            select sum(case o.kind when 'refund' then o.amount else -o.amount end) from transactions as o
            where o.sale_no = t.transaction_no
        ), 0)::bigint as room
    from (select distinct sale_period, sale_no, customer_id from refunds) as named
    inner join members as m on named.customer_id = m.customer_id
    inner join transactions as t
        on named.sale_period = t.booked_period and m.member_no = t.member_no and named.sale_no = t.transaction_no
),

taken as (
    select
        r.line, r.sale_no, r.occurred_at, r.transaction_id, r.amount, s.room,
        loyalty.room_left(r.amount, s.room) over (
            partition by r.sale_no order by r.amount >= 0, r.occurred_at, r.transaction_id rows unbounded preceding
        ) as room_left
    from refunds as r
    inner join sales as s on r.sale_no = s.sale_no
),

judged as (
    select
        line,
        amount > coalesce(
            lag(room_left) over (partition by sale_no order by amount >= 0, occurred_at, transaction_id), room
        ) as too_much
    from taken
)

update import_transactions as r
set reason = 'refund above its sale'
from judged
where r.line = judged.line and judged.too_much
