-- does:   an e-mail into the outbox about the points that a refund has taken, where the rules send receipts; none where it took none
-- again:  outbox_once (kind, occasion, member) makes a repeat write nothing; the occasion is the refund's number
-- params: member_no bigint, period date, transaction_no bigint, at timestamptz
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
select
    'refund_taken_back',
    cast(:transaction_no as bigint)::text,
    :member_no,
    'email',
    jsonb_build_object('points', t.points, 'balance', s.available + s.pending - s.owed, 'owed', s.owed),
    :at
from (
    select -sum(e.points) as points from loyalty.entries as e
    where e.period = :period and e.member_no = :member_no and e.cause = -cast(:transaction_no as bigint)
) as t
cross join loyalty.rules_at(:at) as v
cross join loyalty.standing(:member_no, :at) as s
where v.receipts and t.points > 0
on conflict (kind, occasion, member_no) do nothing
