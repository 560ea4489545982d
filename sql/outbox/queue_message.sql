-- does:   a message into the outbox, in the transaction of what it tells of
-- again:  outbox_once (kind, occasion, member) refuses a second one
-- params: kind loyalty.message_kind, occasion text, member_no bigint, channel text, facts jsonb, at timestamptz
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
values (cast(:kind as loyalty.message_kind), :occasion, :member_no, :channel, cast(:facts as jsonb), :at)
on conflict (kind, occasion, member_no) do nothing
