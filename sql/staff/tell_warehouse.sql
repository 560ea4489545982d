-- does:   a message to the warehouse about open gifts that it hasn't heard of, the oldest first; the number of the message, if there is one
-- again:  a gift keeps the message that told of it, so a repeat leaves it out; gifts that somebody else tells of now are passed over
-- params: most integer, recorded_at timestamptz
with earned as materialized (
    select
        g.member_no,
        g.tier_no,
        g.earned_at,
        g.gift,
        g.asked_at
    from loyalty.gift_dispatches as g
    where g.state = 'open' and g.told_in is null
    order by g.member_no, g.tier_no, g.earned_at
    limit :most
    for update skip locked
),

paid as materialized (
    select
        g.redemption_no,
        r.member_no,
        g.gift,
        g.asked_at
    from loyalty.redeemed_gifts as g
    inner join loyalty.redemptions as r on g.redemption_no = r.redemption_no
    where g.state = 'open' and g.told_in is null
    order by g.redemption_no
    limit :most
    for update of g skip locked
),

gifts as (
    select
        'M' || e.member_no || ' ' || t.name as task,
        'M' || e.member_no || ' ' || e.tier_no || ' ' || loyalty.occasion_of(e.earned_at) as key,
        e.gift,
        e.asked_at
    from earned as e
    inner join loyalty.tiers as t on e.tier_no = t.tier_no
    union all
    select
        'M' || d.member_no || ' redemption ' || d.redemption_no,
        'R' || d.redemption_no,
        d.gift,
        d.asked_at
    from paid as d
),

message as (
    insert into loyalty.staff_messages (kind, occasion, facts, queued_at)
    select
        'gift_to_dispatch',
        min(g.key),
        jsonb_build_object(
            'gifts',
            jsonb_agg(
                jsonb_build_object(
                    'task', g.task, 'gift', g.gift, 'since', to_char(g.asked_at at time zone p.time_zone, 'YYYY-MM-DD')
                )
                order by g.asked_at, g.key
            )
        ),
        :recorded_at
    from gifts as g
    cross join loyalty.programme as p
    having count(*) > 0
    on conflict on constraint staff_messages_once do nothing
    returning message_no
),

told_earned as (
    update loyalty.gift_dispatches as g set told_in = m.message_no
    from earned as e
    cross join message as m
    where g.member_no = e.member_no and g.tier_no = e.tier_no and g.earned_at = e.earned_at
),

told_paid as (
    update loyalty.redeemed_gifts as g set told_in = m.message_no
    from paid as d
    cross join message as m
    where g.redemption_no = d.redemption_no
)

select m.message_no from message as m
