-- does:   the months whose purchases and refunds may be new to campaigns: the newest closed one and those after it that have begun, each with
--         the instant by which what is given for it is booked
-- again:  reads only
-- params: at timestamptz
select
    p.period,
    least(:at, p.ends_at - interval '1 microsecond') as booked_at
from loyalty.periods as p
where p.starts_at <= :at
    and p.period >= coalesce((select max(k.period) from loyalty.periods as k where k.state = 'closed'), '-infinity')
order by p.period
