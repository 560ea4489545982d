-- does:   how many offers went out to each of some members since an instant, or are going out now; their accounts are locked by then
-- again:  reads only
-- params: members bigint[], since timestamptz
select
    o.member_no,
    count(*) as offers
from loyalty.outbox as o
where loyalty.purpose_of(o.kind) = 'marketing' and o.member_no = any(:members)
    and (o.state in ('sending', 'unknown') or (o.state = 'sent' and o.finished_at > :since))
group by o.member_no
