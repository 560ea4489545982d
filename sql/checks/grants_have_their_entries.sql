-- does:   finds grants that are not exactly one entry of their member, kind and points, and entries of such kinds that were never granted
-- again:  reads only
-- params: none
select
    coalesce(g.member_no, e.member_no) as member_no,
    g.grant_no,
    coalesce(g.kind, e.kind) as kind,
    g.points as granted,
    e.points as posted,
    e.entry_id
from loyalty.grants as g
full join (
    select * from loyalty.entries as n
    where n.kind in (
        'bonus', 'adjust', 'registration', 'profile', 'referral', 'share', 'check_in', 'birthday', 'anniversary', 'visits', 'campaign'
    ) and n.points > 0
) as e on g.grant_no = e.cause and g.member_no = e.member_no and g.kind = e.kind
where g.grant_no is null or e.entry_id is null or (g.points, g.entry_id) is distinct from (e.points, e.entry_id)
