-- does:   counts members enrolled in a month who bought in it: as many could have been referred
-- again:  reads only
-- params: period date
select count(*) as members
from loyalty.members as m
where m.enrolled_at >= loyalty.period_start(:period)
    and m.enrolled_at < loyalty.period_start(cast(:period + interval '1 month' as date))
    and m.erased_at is null and loyalty.has_bought(m.member_no, m.enrolled_at)
