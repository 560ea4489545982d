-- does:   gives the members of a campaign that lasts what they are to get of it as it begins: their voucher, in the order of their draw as
--         far as the budget goes, and the message. Codes come of a secret that the server draws for this statement alone and never keeps
-- again:  who was told is left out; the caller holds the campaign
-- params: campaign_no smallint, at timestamptz
with terms as materialized (
    select
        c.campaign_no,
        c.name,
        c.message,
        c.voucher_amount,
        (c.budget - c.spent) / c.voucher_amount as vouchers_left,
        c.draw_key,
        v.currency,
        loyalty.end_of_day(:at, c.voucher_days) as expires_at,
        loyalty.period_of(:at) as period,
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) as secret
    from loyalty.campaigns as c
    inner join loyalty.rules_in_force as v on v.starts_at <= :at and :at < v.ends_at
    where c.campaign_no = :campaign_no and c.state = 'running' and c.begins_at <= :at and :at < loyalty.campaign_until(c)
        and (c.message is not null or c.voucher_amount is not null)
),

due as materialized (
    select
        d.member_no,
        a.tier_no,
        x.*,
        row_number() over (order by loyalty.campaign_draw(x.draw_key, d.member_no), d.member_no) as place,
        case when x.voucher_amount is not null then loyalty.voucher_code(sha256(x.secret || int8send(d.member_no))) end as code
    from loyalty.campaign_members as d
    inner join terms as x on d.campaign_no = x.campaign_no
    inner join loyalty.accounts as a on d.member_no = a.member_no
    inner join loyalty.members as m on d.member_no = m.member_no and m.erased_at is null and m.merged_into is null
    where not d.held_out and not d.told and not exists (
        select from loyalty.members as f
        inner join loyalty.campaign_members as o on f.member_no = o.member_no
        where f.merged_into = d.member_no and o.campaign_no = d.campaign_no and o.told
    )
),

lucky as (
    select * from due as d where d.voucher_amount is null or d.place <= d.vouchers_left
),

told as (
    update loyalty.campaign_members as d
    set told = true, voucher_code = k.code
    from lucky as k
    where d.campaign_no = k.campaign_no and d.member_no = k.member_no
),

issued as (
    insert into loyalty.vouchers (
        code, member_no, tier_no, from_tier_no, amount, currency, issued_at, expires_at, period
    )
    select
        k.code,
        k.member_no,
        -k.campaign_no,
        k.tier_no,
        k.voucher_amount,
        k.currency,
        :at,
        k.expires_at,
        k.period
    from lucky as k
    where k.code is not null
    order by k.member_no
    returning code, member_no, amount
),

registered as (
    insert into loyalty.voucher_codes (code, member_no)
    select
        i.code,
        i.member_no
    from issued as i
    order by i.code
),

queued as (
    insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
    select
        'personal_offer',
        'campaign ' || k.campaign_no,
        k.member_no,
        'email',
        jsonb_strip_nulls(jsonb_build_object(
            'campaign', k.name,
            'text', k.message,
            'voucher', k.code,
            'amount', k.voucher_amount,
            'currency', case when k.code is not null then k.currency end,
            'expires_at', case when k.code is not null then k.expires_at end
        )),
        :at
    from lucky as k
    where k.message is not null
    order by k.member_no
    on conflict on constraint outbox_once do nothing
),

spent as (
    update loyalty.campaigns as c
    set spent = c.spent + i.amount
    from (select sum(o.amount)::bigint as amount from issued as o) as i
    where c.campaign_no = :campaign_no and i.amount > 0
)

select
    (select count(*) from issued) as vouchers,
    (select count(*) from lucky as k where k.message is not null) as messages
