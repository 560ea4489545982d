-- does:   finds statements that do not open with the balance and tier the one before left, or are missing while there was a balance
-- again:  reads only
-- params: none
with chained as (
    select
        s.period,
        s.member_no,
        s.opening_balance,
        s.closing_balance,
        s.tier_before,
        lag(s.closing_balance) over member_months as closed_before_with,
        lag(s.tier_after) over member_months as left_in_tier,
        lead(s.period) over member_months as next_statement,
        (s.period + interval '1 month')::date as next_period
    from loyalty.statements as s
    window member_months as (partition by s.member_no order by s.period)
)

select
    c.period,
    c.member_no,
    c.closed_before_with,
    c.opening_balance,
    c.left_in_tier,
    c.tier_before,
    c.closing_balance,
    c.next_statement
from chained as c
left join loyalty.periods as n on c.next_period = n.period and n.state = 'closed'
where c.opening_balance <> coalesce(c.closed_before_with, 0)
    or c.tier_before <> coalesce(c.left_in_tier, c.tier_before)
    or (c.closing_balance <> 0 and n.period is not null and c.next_statement is distinct from c.next_period)
