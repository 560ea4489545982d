-- does:   records what staff give or take by hand, its member's account locked first; with what one person may do alone
-- again:  makes another one; its caller has the key
-- params: member_no bigint, points bigint, reason text, note text, asked_by text, at timestamptz
with locked as materialized (
    select a.member_no from loyalty.accounts as a
    where a.member_no = :member_no
    for update
)

insert into loyalty.adjustments (member_no, points, reason, note, asked_by, asked_at, alone_max)
select l.member_no, :points, :reason, :note, :asked_by, :at, 0
from locked as l
returning adjustment_no, alone_max
