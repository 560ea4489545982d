-- does:   an SMS into the outbox for each member who earned points in the period
-- again:  a member told already is left out; outbox_once (kind, occasion, member) refuses a second message
-- params: period date, month text, first_member bigint, stop_member bigint, recorded_at timestamptz
insert into loyalty.outbox (kind, occasion, member_no, channel, queued_at)
select
    'points_credited',
    :month,
    s.member_no,
    'sms',
    :recorded_at
from loyalty.statements as s
where s.period = :period and s.member_no >= :first_member and s.member_no < :stop_member and s.points_earned > 0
    -- `not in` is hashed once; `not exists` would look anew for each member, through the rows being written
    and s.member_no not in (
        select o.member_no from loyalty.outbox as o
        where o.kind = 'points_credited' and o.occasion = :month
            and o.member_no >= :first_member and o.member_no < :stop_member
    )
order by s.member_no
