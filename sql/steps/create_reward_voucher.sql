-- does:   a voucher with a unique code for each upward move made at this instant whose tier brings one and did not reward the member
--         lately. The codes come of a secret that the server draws from its cryptographic source for this statement alone and never
--         keeps: hashed with a member's number it gives bytes that nobody can tell from random ones
-- again:  a move that was rewarded is left out, so no second code is drawn; vouchers' key (member, tier, instant) refuses a second
-- params: first_member bigint, stop_member bigint, moved_at timestamptz, version integer
with terms as materialized (
    select
        r.tier_no,
        r.voucher_amount,
        v.currency,
        loyalty.day_start((:moved_at at time zone p.time_zone)::date + v.voucher_days + 1) as expires_at,
        p.time_zone,
        make_interval(months => v.reward_again_months) as again_after,
        secret.drawn
    from loyalty.rungs as r
    inner join loyalty.rules_versions as v on r.version = v.version
    cross join loyalty.programme as p
    cross join (select uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) as drawn) as secret
    where r.version = :version and r.voucher_amount > 0
),

earned as (
    select
        h.member_no,
        h.from_tier_no,
        h.period,
        t.*,
        sha256(t.drawn || int8send(h.member_no)) as bytes
    from loyalty.tier_history as h
    inner join terms as t on h.tier_no = t.tier_no
    where h.effective_at = :moved_at and h.member_no >= :first_member and h.member_no < :stop_member and h.upward
        and not exists (
            select from loyalty.rewards as w
            where w.member_no = h.member_no and w.tier_no = h.tier_no
                and w.member_no >= :first_member and w.member_no < :stop_member
                and (
                    w.earned_at = :moved_at
                    or ((w.earned_at at time zone t.time_zone) + t.again_after) at time zone t.time_zone > :moved_at
                )
        )
    offset 0 -- so that the bytes are made once, not for each symbol of the code
),

issued as (
    insert into loyalty.vouchers (
        code, member_no, tier_no, from_tier_no, amount, currency, issued_at, expires_at, period
    )
    select
        loyalty.voucher_code(e.bytes),
        e.member_no,
        e.tier_no,
        e.from_tier_no,
        e.voucher_amount,
        e.currency,
        :moved_at,
        e.expires_at,
        e.period
    from earned as e
    order by e.member_no
    returning code, member_no
)

insert into loyalty.voucher_codes (code, member_no)
select
    i.code,
    i.member_no
from issued as i
order by i.code
