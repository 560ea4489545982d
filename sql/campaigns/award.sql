-- does:   awards purchases booked to a period that no campaign has awarded: of the campaigns that a purchase fits and that have something
--         left, budget and the member's cap, the one that would give most, the older one where two give alike. A multiplier's points are the
--         base rate's, exactly, and post as the running floor of the member's sum in the campaign. The last one gets what is left of a
--         budget. Grants the points; says how many purchases were awarded, and how many fitted a campaign of which nothing was left
-- again:  the awards' key is the purchase; whoever calls holds the campaigns and the members' accounts
-- params: period date, first_member bigint, stop_member bigint, members bigint[], campaign_no smallint, at timestamptz
with open_ones as materialized (
    select
        c.*,
        loyalty.campaign_until(c) as until,
        g.time_zone
    from loyalty.campaigns as c
    cross join loyalty.programme as g
    where c.gives <> 'voucher' and c.state in ('running', 'stopped') and c.spent < c.budget
        and (cast(:campaign_no as smallint) is null or c.campaign_no = :campaign_no)
        and :at < loyalty.campaign_counts_until(c)
),

bought as materialized (
    select
        t.member_no,
        t.transaction_no,
        t.occurred_at,
        t.location,
        t.channel,
        e.eligible,
        e.eligible * e.rate_per_unit as base_points
    from loyalty.transactions as t
    inner join loyalty.eligible_transactions as e
        on t.booked_period = e.booked_period and t.member_no = e.member_no and t.transaction_no = e.transaction_no
    where t.booked_period = :period and t.kind = 'sale'
        and t.member_no >= :first_member and t.member_no < :stop_member
        and (cast(:members as bigint []) is null or t.member_no = any(:members))
        and t.occurred_at >= (select min(o.begins_at) from open_ones as o)
        and t.occurred_at < (select max(o.until) from open_ones as o)
        and not exists (select from loyalty.campaign_awards as w where w.transaction_no = t.transaction_no)
        and t.transaction_no not in (select k.corrected_no from loyalty.corrections as k)
        and e.booked_period = :period and e.member_no >= :first_member and e.member_no < :stop_member and e.eligible > 0
),

given as materialized (
    select
        w.campaign_no,
        w.member_no,
        sum(w.exact) as exact,
        sum(w.points)::bigint as points
    from loyalty.campaign_awards as w
    where w.campaign_no in (select o.campaign_no from open_ones as o)
        and w.member_no in (select b.member_no from bought as b)
    group by w.campaign_no, w.member_no
),

chosen as (
    select distinct on (b.transaction_no)
        b.member_no,
        b.transaction_no,
        b.occurred_at,
        o.campaign_no,
        o.member_cap,
        o.budget - o.spent as left_over,
        coalesce(v.exact, 0) as exact_before,
        worth.exact
    from bought as b
    inner join open_ones as o on b.occurred_at >= o.begins_at and b.occurred_at < o.until
    inner join loyalty.campaign_members as d
        on o.campaign_no = d.campaign_no and b.member_no = d.member_no and not d.held_out
    left join given as v on o.campaign_no = v.campaign_no and b.member_no = v.member_no
    cross join lateral (
        select case o.gives when 'points' then o.points else b.base_points * (o.multiplier - 1) end as exact
    ) as worth
    cross join lateral (select b.occurred_at at time zone o.time_zone as moment) as clock
    where b.eligible >= o.minimum
        and (o.locations is null or b.location = any(o.locations))
        and (o.channels is null or b.channel = any(o.channels))
        and (o.weekdays is null or extract(isodow from clock.moment) = any(o.weekdays))
        and loyalty.in_spans(clock.moment, o.minutes)
        and (o.member_cap is null or coalesce(v.points, 0) < o.member_cap)
        and worth.exact > 0
    order by b.transaction_no, worth.exact desc, o.campaign_no
),

summed as (
    select
        c.*,
        c.exact_before + sum(c.exact) over (
            partition by c.campaign_no, c.member_no order by c.occurred_at, c.transaction_no
        ) as exact_after
    from chosen as c
),

wanted as (
    select
        s.*,
        (least(s.member_cap, floor(s.exact_after)) - least(s.member_cap, floor(s.exact_after - s.exact)))::bigint as points,
        coalesce(floor(s.exact_after - s.exact) >= s.member_cap, false) as cap_reached
    from summed as s
),

within as (
    select
        w.*,
        sum(w.points) over (partition by w.campaign_no order by w.occurred_at, w.transaction_no) as up_to
    from wanted as w
    where not w.cap_reached
),

awarded as (
    insert into loyalty.campaign_awards (transaction_no, campaign_no, member_no, period, exact, points, awarded_at)
    select
        w.transaction_no,
        w.campaign_no,
        w.member_no,
        :period,
        w.exact,
        least(w.points, w.left_over - (w.up_to - w.points))::bigint,
        :at
    from within as w
    where w.up_to - w.points < w.left_over
    returning transaction_no, campaign_no, member_no, points
),

granted as (
    insert into loyalty.grants (member_no, kind, occasion, points, reason, granted_at)
    select
        a.member_no,
        'campaign',
        a.campaign_no || ':' || a.transaction_no,
        a.points,
        c.name,
        :at
    from awarded as a
    inner join loyalty.campaigns as c on a.campaign_no = c.campaign_no
    where a.points > 0
),

spent as (
    update loyalty.campaigns as c
    set spent = c.spent + a.points
    from (select x.campaign_no, sum(x.points)::bigint as points from awarded as x group by x.campaign_no) as a
    where c.campaign_no = a.campaign_no
)

select
    (select count(*) from awarded) as awarded,
    (select coalesce(sum(a.points), 0)::bigint from awarded as a) as points,
    (select count(*) from chosen) - (select count(*) from awarded) as passed_over
