-- does:   finds accounts that do not carry the state of the member's last statement
-- again:  reads only
-- params: none
with newest as (
    select
        s.member_no,
        max(s.period) as period
    from loyalty.statements as s
    group by s.member_no
)

select
    a.member_no,
    a.stated_period,
    n.period as newest_statement
from loyalty.accounts as a
left join newest as n on a.member_no = n.member_no
left join loyalty.statements as s on n.period = s.period and n.member_no = s.member_no
where (
    a.stated_period, a.closing_balance, a.exact_sum, a.exact_before_window, a.exact_unnamed, a.exact_window
) is distinct from (
    n.period, coalesce(s.closing_balance, 0), coalesce(s.exact_sum, 0), coalesce(s.exact_before_window, 0),
    coalesce(s.exact_unnamed, 0), coalesce(s.exact_window, '{}')
)
