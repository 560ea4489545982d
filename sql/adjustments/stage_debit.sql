-- does:   stands a debit by hand in the working table of real time, for ledger/take_points; its month, its cause and the shortfall policy
-- again:  done once in a transaction, which clears it
-- params: adjustment_no bigint, at timestamptz
with month as materialized (
    select loyalty.book(:at) as period
),

staged as (
    insert into loyalty.work_points (run_no, member_no, sale_period, rank, exact, unnamed, points, cause, kind)
    select -1, a.member_no, date '-infinity', 1, 0, 0, a.points, 1000000000000000 + a.adjustment_no, 'adjust'
    from loyalty.adjustments as a
    cross join month as m
    where a.adjustment_no = :adjustment_no and a.points < 0
    returning member_no, cause
)

select s.member_no, s.cause, m.period, v.shortfall
from staged as s
cross join month as m
inner join loyalty.rules_in_force as v on v.from_period <= m.period and m.period < v.until_period
