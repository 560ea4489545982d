-- does:   finds statements of closed periods that do not count the transactions booked to them, and transactions there without a statement
-- again:  reads only
-- params: none
with booked as (
    select
        t.booked_period,
        coalesce(m.member_no, t.member_no) as member_no,
        count(*) as transactions
    from loyalty.transactions as t
    inner join loyalty.periods as p on t.booked_period = p.period
    left join loyalty.transactions_stated as m on t.transaction_no = m.transaction_no
    where p.state = 'closed'
    group by t.booked_period, coalesce(m.member_no, t.member_no)
)

select
    coalesce(s.period, b.booked_period) as period,
    coalesce(s.member_no, b.member_no) as member_no,
    s.transactions,
    b.transactions as booked
from (
    select o.* from loyalty.statements as o
    inner join loyalty.periods as p on o.period = p.period
    where p.state = 'closed'
) as s
full join booked as b on s.period = b.booked_period and s.member_no = b.member_no
where s.transactions is distinct from coalesce(b.transactions, 0)
