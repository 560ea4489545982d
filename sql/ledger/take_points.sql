-- does:   posts the debits of one rank of a run (a member's ranks in turn) and takes them from the lots: the sale's own lot first, also
--         what it had expired (given back by an entry of its own), then pending lots, the youngest first, then the available ones, the
--         soonest to expire first, those of later months last; what is not there is owed, or written off where the rules say so. With a
--         revision it is the debit of a recompute, of the month that stands as the sales' period; real time's own has its cause, and one by hand its kind
-- again:  the entries' key refuses a second posting; done in one transaction with the statement that ends the member's close
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, rank integer, as_of timestamptz, recorded_at timestamptz, shortfall text, revision integer
with debits as (
    select
        w.member_no,
        w.sale_period,
        -w.points as points,
        coalesce(w.kind, case
            when :revision > 0 then 'correction'
            when w.sale_period < :period then 'take_back'
            else 'earn'
        end::loyalty.entry_kind) as kind,
        coalesce(w.cause, case
            when w.sale_period < :period
                then (extract(year from w.sale_period) * 100 + extract(month from w.sale_period))::bigint
                    * case when :revision > 0 then 10000 else 1 end + :revision
            else 0
        end) as cause,
        w.cause < 0 as of_one_sale,
        (
            select e.entry_id from loyalty.transactions as t
            inner join loyalty.entries as e
                on t.sale_period = e.period and t.member_no = e.member_no and e.kind = 'earn' and e.cause = -t.sale_no
            where w.cause < 0 and t.booked_period = :period and t.member_no = w.member_no and t.transaction_no = -w.cause
        ) as sale_lot_no,
        (
            select e.entry_id from loyalty.transactions as t
            inner join loyalty.entries as e
                on t.sale_period = e.period and t.member_no = e.member_no and e.kind = 'earn' and e.cause = 0
            where w.cause < 0 and t.booked_period = :period and t.member_no = w.member_no and t.transaction_no = -w.cause
        ) as close_lot_no
    from loyalty.work_points as w
    where w.run_no = :run_no and w.rank = :rank and w.points < 0
        and w.member_no >= :first_member and w.member_no < :stop_member
),

posted as (
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
    select
        :period,
        d.member_no,
        d.kind,
        d.cause,
        -d.points,
        :as_of,
        :recorded_at
    from debits as d
    order by d.member_no
    returning entry_id, member_no
),

offered as (
    select
        d.member_no,
        d.points as wanted,
        l.lot_no,
        l.remaining,
        l.remaining + case when own.place > 0 then l.expired else 0 end as offer,
        sum(l.remaining + case when own.place > 0 then l.expired else 0 end) over (
            partition by d.member_no
            order by
                own.place desc,
                own.place = 0 and l.period > :period asc,
                l.available_at > :as_of desc,
                case when own.place > 0 or l.available_at > :as_of then l.lot_no end desc,
                l.expires_at asc nulls last,
                l.lot_no asc
        ) as offered_with
    from debits as d
    inner join loyalty.lots as l on d.member_no = l.member_no
    -- the lots that the sales went into: of a month, all that it earned
    cross join lateral (
        select case
            when d.of_one_sale and l.lot_no = d.sale_lot_no then 2
            when d.of_one_sale and l.lot_no = d.close_lot_no then 1
            when d.of_one_sale then 0
            when l.period = d.sale_period and l.origin_lot_no is null
                and exists (
                    select from loyalty.entries as e
                    where e.period = l.period and e.member_no = l.member_no and e.kind = 'earn' and e.entry_id = l.lot_no
                ) then 1
            else 0
        end as place
    ) as own
    where l.remaining > 0 or (own.place > 0 and l.expired > 0)
),

taken as (
    select
        o.member_no,
        o.lot_no,
        u.points,
        least(u.points, o.remaining) as from_remaining,
        u.points - least(u.points, o.remaining) as from_expired
    from offered as o
    cross join lateral (
        select least(o.offer, o.wanted - (o.offered_with - o.offer))::bigint as points
    ) as u
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
        d.kind,
        p.entry_id,
        d.points - coalesce(sum(t.points), 0)::bigint as points
    from debits as d
    inner join posted as p on d.member_no = p.member_no
    left join taken as t on d.member_no = t.member_no
    group by d.member_no, d.cause, d.kind, d.points, p.entry_id
    having d.points > coalesce(sum(t.points), 0)
),

owed as (
    insert into loyalty.debts (member_no, entry_id, owed)
    select
        s.member_no,
        s.entry_id,
        s.points
    from short as s
    where :shortfall = 'owe'
)

insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
select
    :period,
    t.member_no,
    'expiry_reversed'::loyalty.entry_kind,
    d.cause,
    t.points,
    :as_of,
    :recorded_at
from (
    select
        x.member_no,
        sum(x.from_expired)::bigint as points
    from taken as x
    where x.from_expired > 0
    group by x.member_no
) as t
inner join debits as d on t.member_no = d.member_no
union all
select
    :period,
    s.member_no,
    'write_off',
    s.cause,
    s.points,
    :as_of,
    :recorded_at
from short as s
where :shortfall = 'write_off'
