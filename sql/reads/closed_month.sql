-- does:   what a closed period came to: its statements, and the members whom it moved to another tier
-- again:  reads only
-- params: period date
select
    count(*) as statements,
    count(*) filter (where s.tier_after <> s.tier_held) as moves
from loyalty.statements as s
where s.period = :period
