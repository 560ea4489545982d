-- does:   qualifying points against the ladder: up, held for review, hold, warn, one step down; computed, nothing moved yet;
--         each `offset 0` keeps the planner from evaluating the stage before it more than once
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, as_of timestamptz, recorded_at timestamptz, version integer, reviews text, pending_periods date[], simulated boolean, recompute_no bigint
with rules as materialized (
    select
        v.qualify,
        v.downgrade,
        v.review_above_points,
        v.review_again_months,
        l.tiers,
        l.thresholds,
        l.reviews,
        g.time_zone,
        (:period + interval '1 month')::date as next_period,
        (:period + interval '2 months')::date as period_after,
        (:period + interval '1 month' + make_interval(months => v.hold_months))::date as hold_end
    from loyalty.rules_versions as v
    inner join loyalty.ladders as l on v.version = l.version
    cross join loyalty.programme as g
    where v.version = :version
),

-- refunds of earlier months' sales: few members have any
earlier as (
    select
        w.member_no,
        sum(w.exact) as exact,
        sum(w.exact) filter (where w.sale_period <= :period - interval '12 months') as before_window,
        sum(w.exact) filter (where w.sale_period = any(cast(:pending_periods as date []))) as pending,
        sum(w.points) as points
    from loyalty.work_points as w
    where w.run_no = :run_no and w.member_no >= :first_member and w.member_no < :stop_member and w.sale_period < :period
    group by w.member_no
),

-- points that real time posted wait for their own sale's day, not for the month's: those that can be spent count. A recompute has them
-- by its own rates
released as (
    select
        r.member_no,
        sum(r.exact) as exact,
        coalesce(sum(r.exact) filter (where r.sale_period = :period), 0) as own
    from (
        select
            n.member_no,
            n.sale_period,
            n.exact
        from loyalty.no_longer_pending(:first_member, :stop_member, :pending_periods, :period, :as_of) as n
        where cast(:recompute_no as bigint) is null
        union all
        select
            c.member_no,
            c.sale_period,
            c.eligible * c.due_per_unit
        from loyalty.recompute_rows as c
        where c.recompute_no = :recompute_no and c.member_no >= :first_member and c.member_no < :stop_member
            and c.due_period <= :period and c.available_at <= :as_of
            and c.sale_period = any(cast(:pending_periods as date []))
    ) as r
    where cardinality(cast(:pending_periods as date [])) > 0
    group by r.member_no
),

-- what real time has posted counts for the month's points too, where anybody asks for them
live as (
    select
        x.member_no,
        sum(x.points) as points
    from (
        select e.member_no, e.points from loyalty.entries as e
        where e.period = :period and e.member_no >= :first_member and e.member_no < :stop_member
            and e.kind in ('earn', 'take_back') and not :simulated
        union all
        select o.member_no, o.points from loyalty.moved_earnings as o
        where o.period = :period and o.member_no >= :first_member and o.member_no < :stop_member and not :simulated
    ) as x
    where (select r.review_above_points from rules as r) is not null
    group by x.member_no
),

measured as (
    select
        p.member_no,
        p.tier_held,
        p.tier_now,
        p.held_until,
        p.moved_since,
        coalesce(w.points, 0) + coalesce(e.points, 0) + coalesce(v.points, 0) as points,
        e.member_no is not null as take_backs,
        coalesce(w.exact - w.unnamed, 0) as own,
        p.exact_sum + coalesce(w.exact, 0) + coalesce(e.exact, 0) as sum_after,
        p.exact_unnamed + coalesce(w.unnamed, 0) as unnamed_after,
        p.exact_before_window + coalesce(e.before_window, 0) + case
            when p.periods_since = 1 then coalesce(p.exact_window[12], 0)
            else coalesce((select sum(x) from unnest(p.exact_window[greatest(1, 13 - p.periods_since) : 12]) as x), 0)
        end as before_after,
        case
            when cardinality(cast(:pending_periods as date [])) = 0 then 0
            else coalesce(e.pending, 0)
                + case when :period = any(cast(:pending_periods as date [])) then coalesce(w.exact - w.unnamed, 0) else 0 end
                + coalesce((
                    select sum(slot.exact) from unnest(p.exact_window) with ordinality as slot (exact, age)
                    where (:period - make_interval(months => p.periods_since + slot.age::integer - 1))::date
                        = any(cast(:pending_periods as date []))
                ), 0)
                - coalesce(d.exact, 0)
        end as pending,
        coalesce(d.own, 0) as released_own
    from loyalty.work_profiles as p
    left join loyalty.work_points as w
        on w.run_no = :run_no and p.member_no = w.member_no and w.sale_period = :period
        and w.member_no >= :first_member and w.member_no < :stop_member
    left join earlier as e on p.member_no = e.member_no
    left join live as v on p.member_no = v.member_no
    left join released as d on p.member_no = d.member_no
    where p.run_no = :run_no and p.member_no >= :first_member and p.member_no < :stop_member
    offset 0
),

qualified as (
    select
        m.*,
        (floor(m.sum_after - m.pending) - case r.qualify
            when 'trailing_12_months' then floor(m.before_after + m.unnamed_after)
            when 'period' then floor(
                m.sum_after - m.pending - case when :period = any(cast(:pending_periods as date [])) then m.released_own else m.own end
            )
            else floor(m.unnamed_after)
        end)::bigint as qualifying_points
    from measured as m
    cross join rules as r
    offset 0
),

placed as (
    select
        q.member_no,
        q.qualifying_points,
        q.points,
        q.tier_held,
        q.tier_now,
        q.held_until,
        q.moved_since,
        q.take_backs,
        q.sum_after,
        q.before_after,
        q.unnamed_after,
        greatest(width_bucket(q.qualifying_points, r.thresholds), 1) as due_rung,
        coalesce(array_position(r.tiers, q.tier_held), 1) as held_rung
    from qualified as q
    cross join rules as r
    offset 0
),

-- what managers were asked of earlier months, the member's own and those merged into it: few, and each looks its moves up
put as (
    select
        x.member_no,
        x.period,
        array_position(r.tiers, x.tier_no) as rung
    from (
        select
            v.member_no,
            v.tier_no,
            v.period
        from loyalty.reviews as v
        where v.member_no >= :first_member and v.member_no < :stop_member and v.period < :period
        union all
        select
            m.merged_into,
            v.tier_no,
            v.period
        from loyalty.members as m
        inner join loyalty.reviews as v on m.member_no = v.member_no and v.period < :period
        where m.merged_into >= :first_member and m.merged_into < :stop_member
    ) as x
    cross join rules as r
    offset 0
),

undecided as (
    select
        x.member_no,
        array_agg(x.rung) as rungs
    from put as x
    where x.rung > coalesce((
        select max(array_position(r.tiers, h.tier_no)) from loyalty.tier_history as h
        cross join rules as r
        where h.member_no = x.member_no and h.effective_at < :as_of
            and h.effective_at >= loyalty.period_start((x.period + interval '1 month')::date)
    ), 1)
    group by x.member_no
),

-- a tier decided by a manager since the period ended may be above the one held then. What managers were asked stays theirs to decide until
-- the member reaches that tier: an upgrade up to it or past it asks, and a lower one too where it was the points that were asked about
asked as (
    select
        p.*,
        due.rises,
        due.rises and (
            r.reviews[p.due_rung] or coalesce(p.points >= r.review_above_points, false)
            or (u.rungs is not null and exists (
                select from unnest(u.rungs) as x (rung)
                where x.rung > due.from_rung and (x.rung <= p.due_rung or not r.reviews[x.rung])
            ))
        ) as asks
    from placed as p
    cross join rules as r
    left join undecided as u on p.member_no = u.member_no
    cross join lateral (
        select
            now_held.from_rung,
            p.due_rung > now_held.from_rung as rises
        from (
            select case
                when p.tier_now = p.tier_held then p.held_rung
                else greatest(p.held_rung, coalesce(array_position(r.tiers, p.tier_now), 1))
            end as from_rung
        ) as now_held
    ) as due
    offset 0
),

moved as (
    select
        a.*,
        case
            when a.moved_since then a.held_rung
            when a.rises and not a.asks then a.due_rung
            when a.asks and :reviews = 'approve' and not exists (
                select from loyalty.reviews as v
                where v.member_no = a.member_no and v.tier_no = r.tiers[a.due_rung] and v.state = 'rejected'
                    and v.decided_at <= :recorded_at
                    and ((v.decided_at at time zone r.time_zone) + make_interval(months => r.review_again_months))
                    at time zone r.time_zone > :as_of
            ) then a.due_rung
            when a.due_rung < a.held_rung and r.downgrade = 'one_step'
                and coalesce(a.held_until, r.next_period) <= r.next_period
                then a.held_rung - 1
            else a.held_rung
        end as after_rung
    from asked as a
    cross join rules as r
    offset 0
),

decided as (
    select
        m.*,
        case
            when m.moved_since then m.held_until
            when m.after_rung = 1 then null
            when m.after_rung <> m.held_rung or m.due_rung >= m.held_rung then r.hold_end
            else m.held_until
        end as held_after
    from moved as m
    cross join rules as r
    offset 0
)

insert into loyalty.work_tiers (
    run_no, member_no, qualifying_points, tier_after, proposed_tier, tier_at_risk, held_until, take_backs,
    exact_sum, exact_before_window, exact_unnamed
)
select
    :run_no,
    d.member_no,
    d.qualifying_points,
    r.tiers[d.after_rung],
    case when d.asks then r.tiers[d.due_rung] end,
    not d.moved_since and r.downgrade = 'one_step' and d.due_rung < d.after_rung and d.held_after <= r.period_after,
    d.held_after,
    d.take_backs,
    d.sum_after,
    d.before_after,
    d.unnamed_after
from decided as d
cross join rules as r
order by d.member_no
