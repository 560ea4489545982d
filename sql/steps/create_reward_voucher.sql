-- does:   the reward of each upward move made at this instant: remembered, and a voucher with a unique code where the tier brings one
-- again:  a move that was rewarded is left out, so no second code is drawn; rewards' key (member, tier, instant) refuses a second
-- params: first_member bigint, stop_member bigint, moved_at timestamptz, version integer
with earned as (
    select
        h.member_no,
        h.tier_no,
        h.period,
        nullif(r.gift, '') as gift,
        case when r.voucher_amount > 0 then loyalty.draw_voucher_code() end as code
    from loyalty.tier_history as h
    inner join loyalty.rungs as r on r.version = :version and h.tier_no = r.tier_no
    inner join loyalty.rules_versions as v on v.version = :version
    cross join loyalty.programme as p
    where h.effective_at = :moved_at and h.member_no >= :first_member and h.member_no < :stop_member
        and h.upward and (r.voucher_amount > 0 or r.gift <> '')
        and not exists (
            select from loyalty.rewards as w
            where w.member_no = h.member_no and w.tier_no = h.tier_no
                and ((w.earned_at at time zone p.time_zone) + make_interval(months => v.reward_again_months))
                at time zone p.time_zone > :moved_at
        )
),

remembered as (
    insert into loyalty.rewards (member_no, tier_no, earned_at, period, voucher_code, gift)
    select
        e.member_no,
        e.tier_no,
        :moved_at,
        e.period,
        e.code,
        e.gift
    from earned as e
    order by e.member_no
    returning member_no, tier_no, period, voucher_code
),

registered as (
    insert into loyalty.voucher_codes (code, member_no)
    select
        r.voucher_code,
        r.member_no
    from remembered as r
    where r.voucher_code is not null
    order by r.voucher_code
)

insert into loyalty.vouchers (code, member_no, tier_no, amount, currency, issued_at, expires_at, period)
select
    m.voucher_code,
    m.member_no,
    m.tier_no,
    r.voucher_amount,
    v.currency,
    :moved_at,
    ((:moved_at at time zone p.time_zone)::date + v.voucher_days + 1)::timestamp at time zone p.time_zone,
    m.period
from remembered as m
inner join loyalty.rungs as r on r.version = :version and m.tier_no = r.tier_no
inner join loyalty.rules_versions as v on v.version = :version
cross join loyalty.programme as p
where m.voucher_code is not null
