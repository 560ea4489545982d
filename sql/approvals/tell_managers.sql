-- does:   messages to the managers: of what waits, ahead of a deadline, past it, and new codes where the last one is spent
-- again:  staff_messages_once (kind, occasion) makes a repeat write nothing
-- params: as_of timestamptz, recorded_at timestamptz, reminder_days integer, codes boolean
insert into loyalty.staff_messages (kind, occasion, approval_no, queued_at)
select
    n.kind,
    a.approval_no || n.suffix,
    a.approval_no,
    :recorded_at
from loyalty.approvals as a
cross join lateral (values
    ('review_waiting', '', a.state = 'open'),
    ('review_reminder', '', a.state = 'open' and a.due_at > :as_of
        and a.due_at <= cast(:as_of as timestamptz) + make_interval(days => cast(:reminder_days as integer))),
    ('review_overdue', '', a.state = 'lapsed' or (a.state = 'open' and a.escalated_at is not null)),
    ('review_code', ' ' || a.codes_sent, :codes and a.state = 'open' and a.code_hash is null and a.codes_sent > 0)
) as n (kind, suffix, due)
where n.due
order by a.approval_no
on conflict on constraint staff_messages_once do nothing
