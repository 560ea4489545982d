-- does:   how many offers went out to each of some members, with those merged into it, since an instant, or are going out now; their accounts are locked by then
-- again:  reads only
-- params: members bigint[], since timestamptz
select
    f.member_no,
    count(*) as offers
from (
    select m.member_no, m.member_no as told_no from loyalty.members as m where m.member_no = any(:members)
    union all
    select m.merged_into, m.member_no from loyalty.members as m where m.merged_into = any(:members)
) as f
inner join loyalty.outbox as o on f.told_no = o.member_no
where loyalty.purpose_of(o.kind) = 'marketing'
    and (o.state in ('sending', 'unknown') or (o.state = 'sent' and o.finished_at > :since))
group by f.member_no
