-- does:   adjustments as they stand, the newest first: the one of a number, an approval or a request, where that is given
-- again:  reads only
-- params: adjustment_no bigint, approval_no bigint, request text, most bigint
select
    a.adjustment_no,
    a.member_no,
    m.erased_at is not null as erased,
    a.points,
    a.reason,
    a.note,
    a.asked_by,
    a.asked_at,
    a.alone_max,
    a.approval_no,
    a.approved_by,
    case when a.posted_at is not null then 'posted' when p.state = 'open' then 'waiting' else p.state end as state,
    a.posted_at
from loyalty.adjustments as a
inner join loyalty.members as m on a.member_no = m.member_no
left join loyalty.approvals as p on a.approval_no = p.approval_no
where (cast(:adjustment_no as bigint) is null or a.adjustment_no = :adjustment_no)
    and (cast(:approval_no as bigint) is null or a.approval_no = :approval_no)
    and (cast(:request as text) is null or a.request = :request)
order by a.adjustment_no desc
limit :most
