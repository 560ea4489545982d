-- does:   e-mails about tiers into the outbox: upgrades of this instant with what they brought; for a close also moves down and warnings
-- again:  a member told already is left out; outbox_once (kind, occasion, member) refuses a second message
-- params: period date, month text, first_member bigint, stop_member bigint, moved_at timestamptz, recorded_at timestamptz, version integer
with moment as materialized ( -- written out once, not for each member
    select loyalty.occasion_of(:moved_at) as occasion
),

news as (
    select
        'tier_upgrade'::loyalty.message_kind as kind,
        m.occasion,
        h.member_no,
        null::jsonb as facts
    from loyalty.tier_history as h
    cross join moment as m
    where h.effective_at = :moved_at and h.member_no >= :first_member and h.member_no < :stop_member and h.upward
    union all
    select
        'tier_changed_down'::loyalty.message_kind,
        cast(:month as text),
        s.member_no,
        jsonb_build_object('tier', t.name, 'from', f.name)
    from loyalty.statements as s
    inner join loyalty.rungs as up on up.version = :version and s.tier_held = up.tier_no
    inner join loyalty.rungs as down on down.version = :version and s.tier_after = down.tier_no
    inner join loyalty.tiers as t on s.tier_after = t.tier_no
    inner join loyalty.tiers as f on s.tier_held = f.tier_no
    where s.period = :period and s.member_no >= :first_member and s.member_no < :stop_member and s.tier_after <> s.tier_held
        and down.rung < up.rung
    union all
    select
        'tier_at_risk'::loyalty.message_kind,
        cast(:month as text),
        s.member_no,
        jsonb_build_object(
            'tier', t.name, 'qualifying_points', s.qualifying_points, 'threshold', r.from_points, 'held_until', s.held_until
        )
    from loyalty.statements as s
    inner join loyalty.rungs as r on r.version = :version and s.tier_after = r.tier_no
    inner join loyalty.tiers as t on s.tier_after = t.tier_no
    where s.period = :period and s.member_no >= :first_member and s.member_no < :stop_member and s.tier_at_risk
    union all
    select
        'tier_at_risk'::loyalty.message_kind,
        cast(:month as text),
        w.member_no,
        jsonb_build_object(
            'tier', t.name, 'qualifying_points', w.qualifying_points, 'threshold', r.from_points, 'held_until', w.held_until
        )
    from loyalty.tier_warnings as w
    inner join loyalty.rungs as r on r.version = :version and w.tier_no = r.tier_no
    inner join loyalty.tiers as t on w.tier_no = t.tier_no
    where w.period = :period and w.member_no >= :first_member and w.member_no < :stop_member
),

told as materialized ( -- numbers before rows: drawn row by row, batches meet at the sequence and at its index each time
    select
        nextval('loyalty.outbox_message_no_seq') as message_no,
        n.*
    from news as n
    -- `not in` is hashed once; `not exists` would look anew for each member, through the rows being written
    where (n.kind, n.occasion, n.member_no) not in (
        select
            o.kind,
            o.occasion,
            o.member_no
        from loyalty.outbox as o
        where o.kind in ('tier_upgrade', 'tier_changed_down', 'tier_at_risk')
            and o.occasion in (:month, (select m.occasion from moment as m))
            and o.member_no >= :first_member and o.member_no < :stop_member
    )
    order by n.kind, n.member_no
)

insert into loyalty.outbox (message_no, kind, occasion, member_no, channel, facts, queued_at)
overriding system value
select
    t.message_no,
    t.kind,
    t.occasion,
    t.member_no,
    'email',
    t.facts,
    :recorded_at
from told as t
