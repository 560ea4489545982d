-- does:   the member of a redemption, and the one it is merged into, whose points they are then; for locking in order
-- again:  reads only
-- params: redemption_no bigint
select
    m.member_no,
    m.merged_into
from loyalty.redemptions as r
inner join loyalty.members as m on r.member_no = m.member_no
where r.redemption_no = :redemption_no and m.merged_into is not null
