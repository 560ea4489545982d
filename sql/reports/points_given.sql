-- does:   points given and taken in a period for anything but purchases, by kind of entry: members, times, points
-- again:  reads only
-- params: period date
select
    e.kind::text as kind,
    count(distinct e.member_no) as members,
    count(*) as times,
    coalesce(sum(e.points) filter (where e.points > 0), 0)::bigint as given,
    coalesce(-sum(e.points) filter (where e.points < 0), 0)::bigint as taken
from loyalty.entries as e
where e.period = :period
    and e.kind in (
        'bonus', 'adjust', 'registration', 'profile', 'referral', 'share', 'check_in', 'birthday', 'anniversary', 'visits', 'campaign'
    )
group by e.kind
order by e.kind
