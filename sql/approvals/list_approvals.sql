-- does:   approvals in a state (null: all) or of a number (null: all), the oldest first, with the members whom each is about
-- again:  reads only
-- params: state text, approval_no bigint
select
    a.approval_no,
    a.kind,
    a.occasion,
    a.period,
    a.asked_by,
    a.asked_at,
    a.due_at,
    to_char(a.due_at at time zone p.time_zone, 'YYYY-MM-DD') as due_on,
    a.state,
    a.decided_by,
    a.decided_at,
    a.note,
    a.told,
    a.answers_refused,
    a.last_refusal,
    (select count(*) from loyalty.reviews as r where r.approval_no = a.approval_no)::integer as members
from loyalty.approvals as a
cross join loyalty.programme as p
where (cast(:state as text) is null or a.state = :state)
    and (cast(:approval_no as bigint) is null or a.approval_no = :approval_no)
order by a.approval_no
