-- does:   an SMS into the outbox for each member who earned points in the period
-- again:  outbox_once (kind, occasion, member) makes a repeat write nothing
-- params: period date, first_member bigint, stop_member bigint, recorded_at timestamptz
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
select
    'points_credited',
    to_char(:period, 'YYYY-MM'),
    s.member_no,
    'sms',
    jsonb_build_object('period', to_char(:period, 'YYYY-MM'), 'points', s.points_earned, 'balance', s.closing_balance),
    :recorded_at
from loyalty.statements as s
where s.period = :period and s.member_no >= :first_member and s.member_no < :stop_member and s.points_earned > 0
order by s.member_no
on conflict on constraint outbox_once do nothing
