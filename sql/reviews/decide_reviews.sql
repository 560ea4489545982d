-- does:   decides open reviews, reading their facts again: the qualifying points of the review's own window with the refunds recorded
--         since, the tier now held, the deadline; a review whose facts no longer hold lapses, with the reason
-- again:  a decided review is no longer open: the first decision wins
-- params: review_nos bigint[], approve boolean, decided_by text, note text, decided_at timestamptz, version integer
with open_reviews as (
    select
        r.*,
        s.exact_sum,
        s.exact_unnamed,
        s.exact_window,
        then_rules.version as then_version,
        then_rules.qualify
    from loyalty.reviews as r
    inner join loyalty.statements as s on r.period = s.period and r.member_no = s.member_no
    inner join loyalty.rules_in_force as then_rules
        on then_rules.from_period <= r.period and r.period < then_rules.until_period
    where r.review_no = any(cast(:review_nos as bigint [])) and r.state = 'open'
),

-- exact points by the period of the sale, as the review's statement had them and as refunds since have changed them
slots as (
    select
        o.review_no,
        a.age,
        coalesce(o.exact_window[a.age], 0) + coalesce(sum(t.eligible * t.points_per_unit), 0) as exact,
        -- months end by the calendar: a period's points count once its lot is available, at the end of the review's period
        (o.period - make_interval(months => a.age - 2))::date + own_rules.pending_days
        <= (o.period + interval '1 month')::date as counted
    from open_reviews as o
    cross join generate_series(1, 12) as a (age)
    inner join loyalty.rules_in_force as own_rules
        on own_rules.from_period <= o.period - make_interval(months => a.age - 1)
        and o.period - make_interval(months => a.age - 1) < own_rules.until_period
    left join loyalty.rated_transactions as t
        on o.member_no = t.member_no and t.booked_period > o.period and not t.unnamed
        and t.sale_period = (o.period - make_interval(months => a.age - 1))::date
    group by o.review_no, o.period, own_rules.pending_days, o.exact_window, a.age
),

-- of months that are not counted, what real time had posted that could be spent by then
released as (
    select
        o.review_no,
        coalesce(sum(n.exact), 0) as exact,
        coalesce(sum(n.exact) filter (where s.age = 1), 0) as own
    from open_reviews as o
    inner join slots as s on o.review_no = s.review_no and not s.counted
    cross join lateral loyalty.no_longer_pending(
        o.member_no, o.member_no + 1, array[(o.period - make_interval(months => s.age - 1))::date], 'infinity',
        loyalty.period_start((o.period + interval '1 month')::date)
    ) as n
    group by o.review_no
),

older as (
    select
        o.review_no,
        coalesce(sum(t.eligible * t.points_per_unit), 0) as exact
    from open_reviews as o
    left join loyalty.rated_transactions as t
        on o.member_no = t.member_no and t.booked_period > o.period and not t.unnamed
        and t.sale_period <= (o.period - interval '12 months')::date
    group by o.review_no
),

sums as (
    select
        o.review_no,
        o.exact_sum + older.exact
        + sum(s.exact - coalesce(o.exact_window[s.age], 0)) filter (where s.counted)
        - coalesce(sum(coalesce(o.exact_window[s.age], 0)) filter (where not s.counted), 0)
        + coalesce(min(r.exact), 0) as total,
        case o.qualify
            when 'trailing_12_months' then coalesce(sum(s.exact) filter (where s.counted), 0) + coalesce(min(r.exact), 0)
            when 'period' then coalesce(sum(s.exact) filter (where s.counted and s.age = 1), 0) + coalesce(min(r.own), 0)
        end as in_window,
        o.exact_unnamed
    from open_reviews as o
    inner join slots as s on o.review_no = s.review_no
    inner join older on o.review_no = older.review_no
    left join released as r on o.review_no = r.review_no
    group by o.review_no, o.exact_sum, o.exact_unnamed, o.qualify, older.exact
),

standing as (
    select
        o.review_no,
        case
            when m.erased_at is not null then 'the member is erased'
            when o.due_at <= :decided_at and now_rules.review_overdue = 'lapse' then 'not decided in time'
            when held.rung >= wanted.rung then 'the member has moved already'
            when floor(s.total) - floor(s.total - coalesce(s.in_window, s.total - s.exact_unnamed)) < asked.threshold
                then 'the member no longer qualifies'
        end as lapse,
        o.member_no,
        wanted.rung
    from open_reviews as o
    inner join sums as s on o.review_no = s.review_no
    inner join loyalty.members as m on o.member_no = m.member_no
    inner join loyalty.accounts as a on o.member_no = a.member_no
    inner join loyalty.rules_versions as now_rules on now_rules.version = :version
    inner join loyalty.ladder as asked on o.then_version = asked.version and o.tier_no = asked.tier_no
    inner join loyalty.ladder as wanted on wanted.version = :version and o.tier_no = wanted.tier_no
    inner join loyalty.ladder as held on held.version = :version and a.tier_no = held.tier_no
),

-- of several that still hold, a member is moved by the highest
facts as (
    select
        f.review_no,
        case
            when f.lapse is not null then f.lapse
            when :approve and row_number() over (partition by f.member_no, f.lapse is null order by f.rung desc) > 1
                then 'a higher upgrade was approved'
        end as lapse
    from standing as f
)

update loyalty.reviews as r
set
    state = case when f.lapse is not null then 'lapsed' when :approve then 'approved' else 'rejected' end,
    decided_by = :decided_by,
    decided_at = :decided_at,
    note = coalesce(f.lapse, :note),
    effective_at = case
        when f.lapse is null and :approve
            then greatest(:decided_at, (select max(p.ends_at) from loyalty.periods as p where p.state = 'closed'))
    end
from facts as f
where r.review_no = f.review_no
returning r.review_no, r.member_no, r.period, r.state, r.note, r.effective_at
