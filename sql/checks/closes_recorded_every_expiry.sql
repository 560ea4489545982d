-- does:   finds lots with points left whose last valid day lies in a closed month
-- again:  reads only
-- params: none
select
    l.member_no,
    l.lot_no,
    l.remaining,
    l.expires_at
from loyalty.lots as l
where l.remaining > 0
    and l.expires_at <= (
        select max(p.ends_at) from loyalty.periods as p
        where p.state = 'closed'
    )
