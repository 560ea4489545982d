-- does:   qualifying points against the ladder: up, held for review, hold, warn, one step down; computed, nothing moved yet;
--         each `offset 0` keeps the planner from evaluating the stage before it more than once
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, as_of timestamptz, version integer, reviews text, pending_periods date[]
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

earned as (
    select
        w.member_no,
        sum(w.exact) as exact,
        sum(w.exact - w.unnamed) filter (where w.sale_period = :period) as own,
        sum(w.unnamed) as unnamed,
        sum(w.exact) filter (where w.sale_period <= :period - interval '12 months') as before_window,
        sum(w.exact - w.unnamed) filter (where w.sale_period = any(cast(:pending_periods as date []))) as pending,
        sum(w.points) as points,
        bool_or(w.sale_period < :period) as take_backs
    from loyalty.work_points as w
    where w.run_no = :run_no and w.member_no >= :first_member and w.member_no < :stop_member
    group by w.member_no
),

measured as (
    select
        p.*,
        r.*,
        coalesce(e.own, 0) as own,
        coalesce(e.points, 0) as points,
        coalesce(e.take_backs, false) as take_backs,
        p.exact_sum + coalesce(e.exact, 0) as sum_after,
        p.exact_unnamed + coalesce(e.unnamed, 0) as unnamed_after,
        p.exact_before_window + coalesce(e.before_window, 0) + case
            when p.periods_since = 1 then coalesce(p.exact_window[12], 0)
            else coalesce((select sum(x) from unnest(p.exact_window[greatest(1, 13 - p.periods_since) : 12]) as x), 0)
        end as before_after,
        case
            when cardinality(cast(:pending_periods as date [])) = 0 then 0
            else coalesce(e.pending, 0) + coalesce((
                select sum(slot.exact) from unnest(p.exact_window) with ordinality as slot (exact, age)
                where (:period - make_interval(months => p.periods_since + slot.age::integer - 1))::date
                    = any(cast(:pending_periods as date []))
            ), 0)
        end as pending
    from loyalty.work_profiles as p
    cross join rules as r
    left join earned as e on p.member_no = e.member_no
    where p.run_no = :run_no and p.member_no >= :first_member and p.member_no < :stop_member
    offset 0
),

qualified as (
    select
        m.*,
        (floor(m.sum_after - m.pending) - case m.qualify
            when 'trailing_12_months' then floor(m.before_after + m.unnamed_after)
            when 'period' then floor(
                m.sum_after - m.pending - case when :period = any(cast(:pending_periods as date [])) then 0 else m.own end
            )
            else floor(m.unnamed_after)
        end)::bigint as qualifying_points
    from measured as m
    offset 0
),

placed as (
    select
        q.*,
        greatest(width_bucket(q.qualifying_points, q.thresholds), 1) as due_rung,
        coalesce(array_position(q.tiers, q.tier_held), 1) as held_rung,
        coalesce(array_position(q.tiers, q.tier_now), 1) as now_rung
    from qualified as q
    offset 0
),

asked as (
    select
        p.*,
        p.due_rung > greatest(p.held_rung, p.now_rung) as rises,
        p.due_rung > greatest(p.held_rung, p.now_rung)
        and (p.reviews[p.due_rung] or coalesce(p.points >= p.review_above_points, false)) as asks
    from placed as p
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
                where v.member_no = a.member_no and v.tier_no = a.tiers[a.due_rung] and v.state = 'rejected'
                    and ((v.decided_at at time zone a.time_zone) + make_interval(months => a.review_again_months))
                    at time zone a.time_zone > :as_of
            ) then a.due_rung
            when a.due_rung < a.held_rung and a.downgrade = 'one_step'
                and coalesce(a.held_until, a.next_period) <= a.next_period
                then a.held_rung - 1
            else a.held_rung
        end as after_rung
    from asked as a
    offset 0
),

decided as (
    select
        m.*,
        case
            when m.moved_since then m.held_until
            when m.after_rung = 1 then null
            when m.after_rung <> m.held_rung or m.due_rung >= m.held_rung then m.hold_end
            else m.held_until
        end as held_after
    from moved as m
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
    d.tiers[d.after_rung],
    case when d.asks then d.tiers[d.due_rung] end,
    not d.moved_since and d.downgrade = 'one_step' and d.due_rung < d.after_rung and d.held_after <= d.period_after,
    d.held_after,
    d.take_backs,
    d.sum_after,
    d.before_after,
    d.unnamed_after
from decided as d
