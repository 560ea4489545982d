-- does:   a message to staff, in the transaction of what it tells of
-- again:  staff_messages_once (kind, occasion) refuses a second one
-- params: kind text, occasion text, facts jsonb, at timestamptz
insert into loyalty.staff_messages (kind, occasion, facts, queued_at)
values (:kind, :occasion, cast(:facts as jsonb), :at)
on conflict on constraint staff_messages_once do nothing
