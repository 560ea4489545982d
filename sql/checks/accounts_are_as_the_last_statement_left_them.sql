-- does:   finds accounts that do not carry the state of the member's last statement or, where one came after it, of the last merge
-- again:  reads only
-- params: none
with newest as (
    select
        s.member_no,
        max(s.period) as period
    from loyalty.statements as s
    group by s.member_no
),

moved as (
    select distinct on (t.member_no) t.*
    from loyalty.transfer_states as t
    order by t.member_no asc, t.transfer_no desc
)

select
    a.member_no,
    a.stated_period,
    n.period as newest_statement
from loyalty.accounts as a
left join newest as n on a.member_no = n.member_no
left join loyalty.statements as s on n.period = s.period and n.member_no = s.member_no
left join moved as m on a.member_no = m.member_no and coalesce(n.period < m.from_period, true)
where a.closing_balance <> coalesce(s.closing_balance, 0)
    or (a.stated_period, a.exact_sum, a.exact_before_window, a.exact_unnamed, a.exact_window) is distinct from case
        when m.member_no is null then (
            n.period, coalesce(s.exact_sum, 0), coalesce(s.exact_before_window, 0), coalesce(s.exact_unnamed, 0),
            coalesce(s.exact_window, '{}')
        )
        else (m.stated_period, m.exact_sum, m.exact_before_window, m.exact_unnamed, m.exact_window)
    end
