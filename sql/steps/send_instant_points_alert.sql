-- does:   an SMS into the outbox for each member who earned points in the period
-- again:  a member told already is left out; outbox_once (kind, occasion, member) refuses a second message
-- params: period date, month text, first_member bigint, stop_member bigint, recorded_at timestamptz
with told as materialized ( -- numbers before rows: drawn row by row, batches meet at the sequence and at its index each time
    select
        nextval('loyalty.outbox_message_no_seq') as message_no,
        s.member_no
    from loyalty.statements as s
    where s.period = :period and s.member_no >= :first_member and s.member_no < :stop_member and s.points_earned > 0
        -- `not in` is hashed once; `not exists` would look anew for each member, through the rows being written
        and s.member_no not in (
            select o.member_no from loyalty.outbox as o
            where o.kind = 'points_credited' and o.occasion = :month
                and o.member_no >= :first_member and o.member_no < :stop_member
        )
    order by s.member_no
)

insert into loyalty.outbox (message_no, kind, occasion, member_no, channel, queued_at)
overriding system value
select
    t.message_no,
    'points_credited',
    :month,
    t.member_no,
    'sms',
    :recorded_at
from told as t
