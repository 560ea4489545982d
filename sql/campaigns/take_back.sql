-- does:   posts one take-back of each locked member that is not posted yet, and takes its points from the lots: the award's own lot first,
--         also what it had expired (given back by an entry of its own), then pending lots, the youngest first, then the available ones, the
--         soonest to expire first. What is not there is owed, or written off where the rules of the month say so; how many were posted
-- again:  a take-back that has its entry is left out, and the entries' key refuses a second one
-- params: members bigint[], month date, at timestamptz
with terms as materialized (
    select v.shortfall from loyalty.rules_in_force as v where v.from_period <= :month and :month < v.until_period
),

debits as materialized (
    select distinct on (b.member_no)
        b.member_no,
        b.take_back_no,
        b.points,
        loyalty.campaign_cause(b.take_back_no) as cause,
        w.campaign_no || ':' || w.transaction_no as reference,
        c.name as reason,
        g.entry_id as lot_no
    from loyalty.campaign_take_backs as b
    inner join loyalty.campaign_awards as w on b.transaction_no = w.transaction_no
    inner join loyalty.campaigns as c on w.campaign_no = c.campaign_no
    left join loyalty.grants as g
        on b.member_no = g.member_no and g.kind = 'campaign' and g.occasion = w.campaign_no || ':' || w.transaction_no
    where b.member_no = any(:members) and b.points > 0 and b.entry_id is null
    order by b.member_no, b.take_back_no
),

posted as (
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference, reason)
    select
        :month,
        d.member_no,
        'campaign',
        d.cause,
        -d.points,
        :at,
        :at,
        d.reference,
        d.reason
    from debits as d
    returning entry_id, member_no
),

offered as (
    select
        d.member_no,
        d.points as wanted,
        l.lot_no,
        l.remaining,
        l.remaining + case when own.lot then l.expired else 0 end as offer,
        sum(l.remaining + case when own.lot then l.expired else 0 end) over (
            partition by d.member_no
            order by
                own.lot desc,
                l.available_at > :at desc,
                case when own.lot or l.available_at > :at then l.lot_no end desc,
                l.expires_at asc nulls last,
                l.lot_no asc
        ) as offered_with
    from debits as d
    inner join loyalty.lots as l on d.member_no = l.member_no
    cross join lateral (select l.lot_no is not distinct from d.lot_no as lot) as own
    where l.remaining > 0 or (own.lot and l.expired > 0)
),

taken as (
    select
        o.member_no,
        o.lot_no,
        u.points,
        least(u.points, o.remaining) as from_remaining,
        u.points - least(u.points, o.remaining) as from_expired
    from offered as o
    cross join lateral (select least(o.offer, o.wanted - (o.offered_with - o.offer))::bigint as points) as u
    where u.points > 0
),

drawn as (
    update loyalty.lots as l
    set
        remaining = l.remaining - t.from_remaining,
        expired = l.expired - t.from_expired
    from taken as t
    where l.member_no = t.member_no and l.lot_no = t.lot_no
),

used as (
    insert into loyalty.lot_uses (member_no, lot_no, entry_id, points)
    select
        t.member_no,
        t.lot_no,
        p.entry_id,
        t.points
    from taken as t
    inner join posted as p on t.member_no = p.member_no
),

short as (
    select
        d.member_no,
        d.cause,
        p.entry_id,
        d.points,
        d.points - coalesce(sum(t.points), 0)::bigint as missing,
        coalesce(sum(t.from_expired), 0)::bigint as reversed
    from debits as d
    inner join posted as p on d.member_no = p.member_no
    left join taken as t on d.member_no = t.member_no
    group by d.member_no, d.cause, p.entry_id, d.points
),

owed as (
    insert into loyalty.debts (member_no, entry_id, owed)
    select
        s.member_no,
        s.entry_id,
        s.missing
    from short as s
    where s.missing > 0 and (select x.shortfall from terms as x) = 'owe'
),

beside as (
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
    select
        :month,
        s.member_no,
        'expiry_reversed'::loyalty.entry_kind,
        s.cause,
        s.reversed,
        :at,
        :at
    from short as s
    where s.reversed > 0
    union all
    select
        :month,
        s.member_no,
        'write_off',
        s.cause,
        s.missing,
        :at,
        :at
    from short as s
    where s.missing > 0 and (select x.shortfall from terms as x) = 'write_off'
),

marked as (
    update loyalty.campaign_take_backs as b
    set entry_id = p.entry_id
    from debits as d
    inner join posted as p on d.member_no = p.member_no
    where b.take_back_no = d.take_back_no
),

settled as (
    update loyalty.accounts as a
    set balance = a.balance - s.points + s.reversed
        + case when (select x.shortfall from terms as x) = 'write_off' then s.missing else 0 end
    from short as s
    where a.member_no = s.member_no
)

select count(*) as posted from posted
