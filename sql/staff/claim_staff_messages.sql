-- does:   locks the next queued messages to staff that are due, with the reason to withhold one
-- again:  changes nothing; the locks go with the transaction, and rows that somebody else has locked are passed over
-- params: after bigint, most integer, codes boolean, as_of timestamptz
select
    m.message_no,
    m.kind,
    m.facts,
    m.tries,
    to_char(m.queued_at at time zone p.time_zone, 'YYYY-MM-DD') as queued_on,
    a.approval_no,
    a.salt::text as salt,
    (
        select n.flow_run_id::text from loyalty.approval_runs as n
        where n.approval_no = a.approval_no
        order by n.attempt desc limit 1
    ) as flow_run_id,
    case
        when m.event_no is not null then case when i.state is distinct from 'held' then 'stale' end
        when a.state not in ('open', 'lapsed') or (a.state = 'lapsed' and m.kind <> 'review_overdue') then 'stale'
        when m.kind = 'review_code' and (a.code_hash is not null or not :codes) then 'stale'
    end as withheld
from loyalty.staff_messages as m
left join loyalty.approvals as a on m.approval_no = a.approval_no
left join loyalty.inbox as i on m.event_no = i.event_no and i.state <> 'applied'
cross join loyalty.programme as p
where m.state = 'queued' and m.message_no > :after and (m.not_before is null or m.not_before <= :as_of)
order by m.message_no
limit :most
for update of m skip locked
