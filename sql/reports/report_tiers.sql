-- does:   every tier there ever was, those on the version's ladder first and in its order; rung is null for the others
-- again:  reads only
-- params: version integer
select
    t.tier_no,
    t.name,
    l.rung
from loyalty.tiers as t
left join loyalty.ladder as l on l.version = :version and t.tier_no = l.tier_no
order by l.rung asc nulls last, t.tier_no asc
