-- does:   a warehouse task for each gift that a move of this instant brought
-- again:  gift_dispatches' key (member, tier, instant) makes a repeat write nothing
-- params: first_member bigint, stop_member bigint, moved_at timestamptz, recorded_at timestamptz
insert into loyalty.gift_dispatches (member_no, tier_no, earned_at, gift, asked_at, changed_at)
select
    r.member_no,
    r.tier_no,
    r.earned_at,
    r.gift,
    :recorded_at,
    :recorded_at
from loyalty.rewards as r
where r.earned_at = :moved_at and r.member_no >= :first_member and r.member_no < :stop_member
    and r.gift is not null
on conflict (member_no, tier_no, earned_at) do nothing
