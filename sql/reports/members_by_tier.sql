-- does:   the members enrolled, by the tier that they hold now
-- again:  reads only
-- params: none
select
    a.tier_no,
    count(*) as members
from loyalty.accounts as a
group by a.tier_no
order by a.tier_no
