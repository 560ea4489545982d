-- does:   records what staff give or take by hand, its member's account locked first; with what one person may do alone
-- again:  makes another one, its caller has the key; the same request makes none
-- params: member_no bigint, points bigint, reason text, note text, asked_by text, request text, at timestamptz
with locked as materialized (
    select a.member_no from loyalty.accounts as a
    where a.member_no = :member_no
    for update
)

insert into loyalty.adjustments (member_no, points, reason, note, asked_by, asked_at, alone_max, request)
select l.member_no, :points, :reason, :note, :asked_by, :at, 0, :request
from locked as l
on conflict (request) do nothing
returning adjustment_no, alone_max
