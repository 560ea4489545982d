-- does:   keeps what a computed month brought and how it left each member in scope, beside what the same rows were really rated at, and
--         what earlier recomputes posted of the month
-- again:  the key of a member's month refuses a second time
-- params: run_no bigint, recompute_no bigint, period date, as_of timestamptz
with due as (
    select
        w.member_no,
        sum(w.points)::bigint as points
    from loyalty.work_points as w
    where w.run_no = :run_no
    group by w.member_no
),

had as (
    select
        r.member_no,
        sum(r.eligible * r.had_per_unit) as exact
    from loyalty.recompute_rows as r
    where r.recompute_no = :recompute_no and r.due_period = :period
    group by r.member_no
),

posted as (
    select
        m.member_no,
        sum(m.points)::bigint as points
    from loyalty.recomputed_members as m
    where m.period = :period and m.revision is not null
    group by m.member_no
)

insert into loyalty.recomputed_members (
    recompute_no, period, member_no, points_due, points_had, points_before, qualifying_points, tier_had, tier_due, held_until,
    exact_had, exact_sum, exact_before_window, exact_unnamed, exact_window
)
select
    :recompute_no,
    :period,
    p.member_no,
    coalesce(due.points, 0),
    floor(before.exact_had + coalesce(had.exact, 0)) - floor(before.exact_had),
    coalesce(posted.points, 0),
    t.qualifying_points,
    case
        when a.tier_since <= :as_of then a.tier_no
        else (
            select h.from_tier_no from loyalty.tier_history as h
            where h.member_no = a.member_no and h.effective_at > :as_of order by h.effective_at limit 1
        )
    end,
    t.tier_after,
    t.held_until,
    before.exact_had + coalesce(had.exact, 0),
    t.exact_sum,
    t.exact_before_window,
    t.exact_unnamed,
    (
        select array_agg(slot.exact + coalesce(x.exact, 0) order by slot.age)
        from unnest((coalesce(own.exact - own.unnamed, 0) || p.exact_window)[1 : 12]) with ordinality as slot (exact, age)
        left join loyalty.work_points as x
            on x.run_no = :run_no and p.member_no = x.member_no and slot.age > 1
            and x.sale_period = (:period - make_interval(months => slot.age::integer - 1))::date
    )
from loyalty.work_profiles as p
inner join loyalty.work_tiers as t on t.run_no = :run_no and p.member_no = t.member_no
inner join loyalty.accounts as a on p.member_no = a.member_no
left join loyalty.work_points as own on own.run_no = :run_no and p.member_no = own.member_no and own.sale_period = :period
left join due on p.member_no = due.member_no
left join had on p.member_no = had.member_no
left join posted on p.member_no = posted.member_no
left join loyalty.recomputed_members as m
    on m.recompute_no = :recompute_no and m.period = (:period - interval '1 month')::date and p.member_no = m.member_no
cross join lateral (select coalesce(m.exact_had, p.exact_sum) as exact_had) as before
where p.run_no = :run_no
