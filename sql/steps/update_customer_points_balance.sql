-- does:   posts the points earned as entry and lot, writes the member's statement, and moves the account by what this close posted;
--         take-backs and other debits of these members are posted just before, in the same transaction (sql/ledger)
-- again:  a member with a statement is not in work_profiles, and the keys of entries and statements refuse a second row
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, as_of timestamptz, recorded_at timestamptz, available_at timestamptz, expires_at timestamptz
with posted_so_far as (
    select
        e.member_no,
        sum(e.points) filter (where e.kind in ('earn', 'take_back')) as earned,
        sum(e.points) filter (where e.kind in ('redeem', 'undo')) as redeemed,
        sum(e.points) filter (where e.kind = 'expire') as expired,
        sum(e.points) filter (where e.kind not in ('earn', 'take_back', 'redeem', 'undo', 'expire')) as adjusted
    from loyalty.entries as e
    where e.period = :period and e.member_no >= :first_member and e.member_no < :stop_member
    group by e.member_no
),

closing as materialized (
    select
        p.member_no,
        p.opening_balance,
        p.posted_before,
        p.tier_before,
        p.tier_held,
        p.held_until,
        t.qualifying_points,
        t.tier_after,
        t.proposed_tier,
        t.tier_at_risk,
        t.held_until as held_after,
        t.exact_sum as sum_after,
        t.exact_before_window as before_after,
        t.exact_unnamed as unnamed_after,
        coalesce(
            p.opening_balance <> 0 or s.transactions > 0 or f.member_no is not null or p.moved_in_period
            or t.tier_after <> p.tier_before or t.proposed_tier is not null, false
        ) as has_something,
        coalesce(s.transactions, 0) as transactions,
        coalesce(s.spend, 0) as spend,
        coalesce(greatest(w.points, 0), 0) as credit,
        -- drawn before anything is written: drawn row by row, batches meet at the sequence each time
        case when w.points > 0 then nextval('loyalty.entries_entry_id_seq') end as entry_id,
        case
            when t.take_backs then (
                select array_agg(slot.exact + coalesce(x.exact, 0) order by slot.age)
                from unnest(shifted.exact_window) with ordinality as slot (exact, age)
                left join loyalty.work_points as x
                    on x.run_no = :run_no and p.member_no = x.member_no and slot.age > 1
                    and x.sale_period = (:period - make_interval(months => slot.age::integer - 1))::date
            )
            else shifted.exact_window
        end as window_after,
        coalesce(f.earned, 0)::bigint + coalesce(greatest(w.points, 0), 0) as earned,
        -coalesce(f.redeemed, 0)::bigint as redeemed,
        -coalesce(f.expired, 0)::bigint as expired,
        coalesce(f.adjusted, 0)::bigint as adjusted
    from loyalty.work_profiles as p
    -- the range is said again for each table: the planner carries equalities over a join, not ranges
    inner join loyalty.work_tiers as t
        on t.run_no = :run_no and p.member_no = t.member_no and t.member_no >= :first_member and t.member_no < :stop_member
    left join loyalty.work_spend as s
        on s.run_no = :run_no and p.member_no = s.member_no and s.member_no >= :first_member and s.member_no < :stop_member
    left join loyalty.work_points as w
        on w.run_no = :run_no and p.member_no = w.member_no and w.member_no >= :first_member and w.member_no < :stop_member
        and w.sale_period = :period
    left join posted_so_far as f on p.member_no = f.member_no
    cross join lateral (
        select case
            when p.periods_since = 1 then (coalesce(w.exact - w.unnamed, 0) || p.exact_window)[1 : 12]
            else (
                coalesce(w.exact - w.unnamed, 0)
                || array_fill(0::numeric, array[least(p.periods_since, 13) - 1]) || p.exact_window
            )[1 : 12]
        end as exact_window
    ) as shifted
    where p.run_no = :run_no and p.member_no >= :first_member and p.member_no < :stop_member
    order by p.member_no -- so that all that is written below is written in order
),

due as not materialized (
    select * from closing as c where c.has_something
),

credited as (
    insert into loyalty.entries (entry_id, period, member_no, kind, points, occurred_at, recorded_at)
    overriding system value
    select
        d.entry_id,
        :period,
        d.member_no,
        'earn',
        d.credit,
        :as_of,
        :recorded_at
    from due as d
    where d.credit > 0
),

kept as (
    insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
    select
        d.entry_id,
        d.member_no,
        :period,
        d.credit,
        d.credit,
        :available_at,
        :expires_at
    from due as d
    where d.credit > 0
),

stated as (
    insert into loyalty.statements (
        period, member_no, opening_balance, transactions, spend, points_earned, points_redeemed, points_expired,
        points_adjusted, closing_balance, qualifying_points, tier_before, tier_held, tier_after, proposed_tier,
        tier_at_risk, held_until, exact_sum, exact_before_window, exact_unnamed, exact_window
    )
    select
        :period,
        d.member_no,
        d.opening_balance,
        d.transactions,
        d.spend,
        d.earned,
        d.redeemed,
        d.expired,
        d.adjusted,
        d.opening_balance + d.earned - d.redeemed - d.expired + d.adjusted,
        d.qualifying_points,
        d.tier_before,
        d.tier_held,
        d.tier_after,
        d.proposed_tier,
        d.tier_at_risk,
        d.held_after,
        d.sum_after,
        d.before_after,
        d.unnamed_after,
        d.window_after
    from due as d
),

-- members who have nothing to state, but whose tier is at risk, or held longer
warned as (
    insert into loyalty.tier_warnings (period, member_no, tier_no, qualifying_points, held_until)
    select
        :period,
        c.member_no,
        c.tier_after,
        c.qualifying_points,
        c.held_after
    from closing as c
    where not c.has_something and c.tier_at_risk
    on conflict (period, member_no) do nothing
),

held as (
    update loyalty.accounts as a
    set held_until = c.held_after
    from closing as c
    where not c.has_something and c.held_after is distinct from c.held_until
        and a.member_no = c.member_no and a.member_no >= :first_member and a.member_no < :stop_member
)

update loyalty.accounts as a
set
    balance = a.balance + d.earned - d.redeemed - d.expired + d.adjusted - d.posted_before,
    held_until = d.held_after,
    stated_period = :period,
    closing_balance = d.opening_balance + d.earned - d.redeemed - d.expired + d.adjusted,
    exact_sum = d.sum_after,
    exact_before_window = d.before_after,
    exact_unnamed = d.unnamed_after,
    exact_window = d.window_after
from due as d
where a.member_no = d.member_no and a.member_no >= :first_member and a.member_no < :stop_member
