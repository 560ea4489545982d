-- does:   finds statements whose spend is not the sum of what counts of the period's transactions, where the rules report the period's spend
-- again:  reads only
-- params: none
with counted as (
    select
        t.booked_period,
        coalesce(m.member_no, t.member_no) as member_no,
        sum(t.eligible) as spend
    from loyalty.eligible_transactions as t
    left join loyalty.transactions_stated as m on t.transaction_no = m.transaction_no
    group by t.booked_period, coalesce(m.member_no, t.member_no)
)

select
    s.period,
    s.member_no,
    s.spend,
    e.spend as counted
from loyalty.statements as s
inner join loyalty.closes as c on s.period = c.period and c.finished_at is not null
inner join loyalty.rules_versions as v on c.rules_version = v.version and v.spend_window = 'period'
left join counted as e on s.period = e.booked_period and s.member_no = e.member_no
where s.spend <> coalesce(e.spend, 0)
