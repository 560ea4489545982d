-- does:   moves the balances of the range by all that one cause posted in a month: the debits of real time, and what evens it out
-- again:  moves them again; done once, in the transaction that posted it
-- params: period date, cause bigint, first_member bigint, stop_member bigint
update loyalty.accounts as a
set balance = a.balance + p.points
from (
    select
        e.member_no,
        sum(e.points)::bigint as points
    from loyalty.entries as e
    where e.period = :period and e.member_no >= :first_member and e.member_no < :stop_member and e.cause = :cause
        and (e.kind in ('earn', 'take_back', 'expiry_reversed', 'write_off') or (e.kind = 'adjust' and e.points < 0))
    group by e.member_no
) as p
where a.member_no = p.member_no and a.member_no >= :first_member and a.member_no < :stop_member
