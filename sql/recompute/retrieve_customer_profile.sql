-- does:   the state in which each member in scope would have opened the period: step 1 of a recompute. It is that in which the month before
--         was left, as computed or, at the member's first month, as stated; what managers decided stands, from its instant on
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, recompute_no bigint, period date, first_member bigint, stop_member bigint, starts_at timestamptz, as_of timestamptz, recorded_at timestamptz, version integer
with opened as (
    select
        c.member_no,
        coalesce(b.tier_due, s.tier_after, lowest.tier_no) as tier_no,
        case when b.member_no is null then s.held_until else b.held_until end as held_until,
        coalesce(b.exact_sum, s.exact_sum, 0) as exact_sum,
        coalesce(b.exact_before_window, s.exact_before_window, 0) as exact_before_window,
        coalesce(b.exact_unnamed, s.exact_unnamed, 0) as exact_unnamed,
        coalesce(b.exact_window, s.exact_window, '{}') as exact_window
    from loyalty.recompute_scope as c
    inner join loyalty.tiers as lowest on lowest.tier_no = (
        select l.tier_no from loyalty.ladder as l
        where l.version = :version and l.rung = 1
    )
    left join loyalty.recomputed_members as b
        on b.recompute_no = :recompute_no and b.period = (:period - interval '1 month')::date and c.member_no = b.member_no
    left join loyalty.statements as s
        on s.period = (:period - interval '1 month')::date and c.member_no = s.member_no and c.from_period = :period
    where c.recompute_no = :recompute_no and c.from_period <= :period
        and c.member_no >= :first_member and c.member_no < :stop_member
),

decided as (
    select
        h.member_no,
        (array_agg(h.tier_no order by u.rung desc) filter (where h.effective_at < :as_of))[1] as tier_no,
        max(u.rung) filter (where h.effective_at < :as_of) as rung,
        bool_or(h.effective_at >= :as_of) as moved_since
    from loyalty.tier_history as h
    inner join loyalty.rungs as u on u.version = :version and h.tier_no = u.tier_no
    where h.review_no is not null and h.effective_at >= :starts_at and h.recorded_at <= :recorded_at
        and h.member_no >= :first_member and h.member_no < :stop_member
    group by h.member_no
),

standing as (
    select
        o.*,
        coalesce(d.moved_since, false) as moved_since,
        coalesce(d.rung > coalesce(u.rung, 1), false) as raised,
        d.tier_no as decided_tier
    from opened as o
    left join decided as d on o.member_no = d.member_no
    left join loyalty.rungs as u on u.version = :version and o.tier_no = u.tier_no
)

insert into loyalty.work_profiles (
    run_no, member_no, tier_before, tier_held, tier_now, held_until, moved_in_period, moved_since,
    opening_balance, posted_before, periods_since, exact_sum, exact_before_window, exact_unnamed, exact_window
)
select
    :run_no,
    s.member_no,
    s.tier_no,
    case when s.raised then s.decided_tier else s.tier_no end,
    case when s.raised then s.decided_tier else s.tier_no end,
    case
        when s.raised then (:period + make_interval(months => 1 + v.hold_months))::date
        else s.held_until
    end,
    s.raised,
    s.moved_since,
    0,
    0,
    1,
    s.exact_sum,
    s.exact_before_window,
    s.exact_unnamed,
    s.exact_window
from standing as s
inner join loyalty.rules_versions as v on v.version = :version
order by s.member_no
