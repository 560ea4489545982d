-- does:   all that is held on a person, as one JSON document: of a member and all who are merged into it. Money is minor units of the
--         currency beside it, or of the programme's; instants are UTC
-- again:  reads only
-- params: member_no bigint, at timestamptz
with family as materialized (
    select unnest(loyalty.family_of(:member_no)) as member_no
),

months as materialized (
    select month::date as period
    from (select min(x.period) as first_one, max(x.period) as last_one from loyalty.entries as x) as span
    cross join generate_series(span.first_one, span.last_one, interval '1 month') as month
)

select jsonb_build_object(
    'members', (
        select jsonb_agg(to_jsonb(m) || jsonb_build_object(
            'balance', loyalty.balance_at(a.member_no, a.balance, :at), 'tier', t.name, 'tier_since', nullif(a.tier_since, '-infinity'), 'tier_held_until', a.held_until
        ) order by m.member_no)
        from family as f
        inner join loyalty.members as m on f.member_no = m.member_no
        inner join loyalty.accounts as a on m.member_no = a.member_no
        inner join loyalty.tiers as t on a.tier_no = t.tier_no
    ),
    'consents', (
        select jsonb_agg(jsonb_build_object(
            'member_no', m.member_no, 'email', m.email_consent, 'sms', m.sms_consent
        ) order by m.member_no)
        from family as f
        inner join loyalty.members as m on f.member_no = m.member_no
    ),
    'identifiers', (
        select jsonb_agg(to_jsonb(i) order by i.kind, i.platform, i.value)
        from loyalty.identifiers as i
        where i.member_no in (select f.member_no from family as f)
    ),
    'transactions', (
        select jsonb_agg(to_jsonb(x) - 'source_no' order by x.occurred_at, x.transaction_no)
        from (
            select
                s.name as source,
                t.*
            from loyalty.transactions as t
            inner join loyalty.sources as s on t.source_no = s.source_no
            where t.member_no in (select f.member_no from family as f)
        ) as x
    ),
    'entries', (
        select jsonb_agg(to_jsonb(e) order by e.entry_id)
        from months as p
        cross join family as f
        inner join loyalty.entries as e on p.period = e.period and f.member_no = e.member_no
    ),
    'lots', (
        select jsonb_agg(to_jsonb(l) order by l.lot_no) from loyalty.lots as l
        where l.member_no in (select f.member_no from family as f)
    ),
    'statements', (
        select jsonb_agg(to_jsonb(s) order by s.period, s.member_no)
        from months as p
        cross join family as f
        inner join loyalty.statements as s on p.period = s.period and f.member_no = s.member_no
    ),
    'tier_moves', (
        select jsonb_agg(to_jsonb(h) || jsonb_build_object('tier', t.name) order by h.effective_at)
        from loyalty.tier_history as h
        inner join loyalty.tiers as t on h.tier_no = t.tier_no
        where h.member_no in (select f.member_no from family as f)
    ),
    'vouchers', (
        select jsonb_agg(to_jsonb(x) order by x.issued_at, x.code)
        from (
            select v.code, v.member_no, v.amount, v.currency, v.state, v.issued_at, v.expires_at from loyalty.vouchers as v
            union all
            select v.code, v.member_no, v.amount, v.currency, v.state, v.issued_at, v.expires_at from loyalty.voucher_archive as v
        ) as x
        where x.member_no in (select f.member_no from family as f)
    ),
    'redemptions', (
        select jsonb_agg(to_jsonb(r) order by r.redemption_no) from loyalty.redemptions as r
        where r.member_no in (select f.member_no from family as f)
    ),
    'gifts', (
        select jsonb_agg(to_jsonb(g) order by g.earned_at) from loyalty.gift_dispatches as g
        where g.member_no in (select f.member_no from family as f)
    ),
    'grants', (
        select jsonb_agg(to_jsonb(g) order by g.grant_no) from loyalty.grants as g
        where g.member_no in (select f.member_no from family as f)
    ),
    'messages', (
        select jsonb_agg(to_jsonb(o) || jsonb_build_object(
            'facts', coalesce(o.facts, loyalty.message_facts(o.kind, o.occasion, o.member_no))
        ) order by o.message_no)
        from loyalty.outbox as o
        where o.member_no in (select f.member_no from family as f)
    ),
    'reviews', (
        select jsonb_agg(to_jsonb(r) || jsonb_build_object('tier', t.name) order by r.review_no)
        from loyalty.reviews as r
        inner join loyalty.tiers as t on r.tier_no = t.tier_no
        where r.member_no in (select f.member_no from family as f)
    )
) || jsonb_build_object(
    'consent_events', (
        select jsonb_agg(to_jsonb(e) order by e.at, e.member_no, e.channel, e.purpose) from loyalty.consent_events as e
        where e.member_no in (select f.member_no from family as f)
    ),
    'suppressions', (
        select jsonb_agg(to_jsonb(x) order by x.since, x.channel, x.reason)
        from (
            select distinct s.channel, s.reason, s.since, s.source, s.lifted_at, s.lifted_by
            from family as f
            inner join loyalty.members as m on f.member_no = m.member_no
            cross join lateral (values ('email', m.email), ('sms', m.phone)) as a (channel, address)
            inner join loyalty.suppressions as s on a.channel = s.channel and s.address = loyalty.address_digest(a.channel, a.address)
        ) as x
    ),
    'adjustments', (
        select jsonb_agg(to_jsonb(j) - 'alone_max' order by j.adjustment_no) from loyalty.adjustments as j
        where j.member_no in (select f.member_no from family as f)
    ),
    'referrals', (
        select jsonb_agg(
            to_jsonb(r) - 'referrer_no' - 'referred_no' - 'year_max'
            || jsonb_build_object('member_no', s.member_no, 'side', s.side) order by r.referral_no, s.side
        )
        from loyalty.referrals as r
        cross join lateral (values (r.referrer_no, 'referrer'), (r.referred_no, 'referred')) as s (member_no, side)
        where s.member_no in (select f.member_no from family as f)
    ),
    'traits', (
        select jsonb_agg(to_jsonb(x) order by x.member_no, x.trait)
        from (
            select t.member_no, t.trait, count(*) as known from loyalty.member_traits as t
            where t.member_no in (select f.member_no from family as f)
            group by t.member_no, t.trait
        ) as x
    ),
    'check_ins', (
        select jsonb_agg(jsonb_build_object(
            'member_no', g.member_no, 'at', g.granted_at, 'location', l.name, 'points', g.points
        ) order by g.grant_no)
        from loyalty.grants as g
        inner join loyalty.locations as l on split_part(g.occasion, ' ', 2) = l.location_no::text
        where g.kind = 'check_in' and g.member_no in (select f.member_no from family as f)
    ),
    'visits', (
        select jsonb_agg(to_jsonb(t) order by t.since, t.member_no) from loyalty.visit_totals as t
        where t.member_no in (select f.member_no from family as f)
    ),
    'segments', (
        select jsonb_agg(to_jsonb(s) order by s.member_no) from loyalty.segments as s
        where s.member_no in (select f.member_no from family as f)
    ),
    'campaigns', (
        select jsonb_agg(to_jsonb(d) || jsonb_build_object('name', c.name) order by d.campaign_no, d.member_no)
        from loyalty.campaign_members as d
        inner join loyalty.campaigns as c on d.campaign_no = c.campaign_no
        where d.member_no in (select f.member_no from family as f)
    ),
    'campaign_awards', (
        select jsonb_agg(to_jsonb(w) || jsonb_build_object('taken_back', coalesce((
            select sum(b.points) from loyalty.campaign_take_backs as b where b.transaction_no = w.transaction_no
        ), 0)) order by w.transaction_no)
        from loyalty.campaign_awards as w
        where w.member_no in (select f.member_no from family as f)
    ),
    'counts_for_limits', (
        select jsonb_agg(to_jsonb(c) - 'per' - 'subject' order by c.starts_at, c.kind, c.span) from loyalty.velocity_counts as c
        where c.per = 'member' and c.subject in (select f.member_no::text from family as f)
    ),
    'deliveries', (
        select jsonb_agg(jsonb_build_object(
            'member_no', d.member_no, 'message_no', d.message_no, 'provider', d.provider, 'attempted_at', d.attempted_at,
            'provider_id', d.provider_id, 'fault', d.fault
        ) order by d.message_no)
        from loyalty.deliveries as d
        where d.member_no in (select f.member_no from family as f)
    ),
    'outcomes', (
        select jsonb_agg(to_jsonb(e) order by e.message_no, e.at, e.event_id)
        from loyalty.message_events as e
        where e.message_no in (
            select d.message_no from loyalty.deliveries as d where d.member_no in (select f.member_no from family as f)
        )
    ),
    'merges', (
        select jsonb_agg(to_jsonb(g) order by g.merge_no) from loyalty.merges as g
        where g.kept_no in (select f.member_no from family as f) and g.lost_no in (select f.member_no from family as f)
    )
) as document
