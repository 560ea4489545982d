-- does:   a warehouse task for each upward move made at this instant whose tier brings a gift and did not reward the member lately
-- again:  gift_dispatches' key (member, tier, instant) makes a repeat write nothing
-- params: first_member bigint, stop_member bigint, moved_at timestamptz, recorded_at timestamptz, version integer
insert into loyalty.gift_dispatches (member_no, tier_no, earned_at, period, gift, asked_at, changed_at)
select
    h.member_no,
    h.tier_no,
    :moved_at,
    h.period,
    r.gift,
    :recorded_at,
    :recorded_at
from loyalty.tier_history as h
inner join loyalty.rungs as r on r.version = :version and h.tier_no = r.tier_no
inner join loyalty.rules_versions as v on v.version = :version
cross join loyalty.programme as p
where h.effective_at = :moved_at and h.member_no >= :first_member and h.member_no < :stop_member
    and h.upward and r.gift <> ''
    and not exists (
        select from loyalty.rewards as w
        where w.member_no = h.member_no and w.tier_no = h.tier_no
            and w.member_no >= :first_member and w.member_no < :stop_member
            and (w.earned_at < :moved_at or w.merge_no is not null) -- the voucher of this very move does not stand in the gift's way
            and ((w.earned_at at time zone p.time_zone) + make_interval(months => v.reward_again_months))
            at time zone p.time_zone > :moved_at
    )
on conflict (member_no, tier_no, earned_at) do nothing
