-- What a simulated run would bring each of its members, read by the month's simulation and by the comparison of two.
-- asks: the upgrade would be held for a manager; voucher and gift are those of a move, asked_* those of an upgrade that is held.
create function loyalty.simulated_outcomes(run bigint, rules integer, month date, as_of timestamptz)
returns table (
    member_no bigint,
    transactions integer,
    spend bigint,
    points bigint,
    tier_held smallint,
    tier_after smallint,
    tier_asked smallint,
    rung_before smallint,
    rung_after smallint,
    tier_at_risk boolean,
    voucher_amount bigint,
    gift text,
    asked_voucher_amount bigint
)
language sql stable as $$
    select
        p.member_no,
        coalesce(s.transactions, 0),
        coalesce(s.spend, 0),
        coalesce(e.points, 0),
        p.tier_held,
        t.tier_after,
        -- what is open already is asked once, what was rejected lately not again
        case when not o.asked_before then t.proposed_tier end,
        coalesce(before_it.rung, 1::smallint),
        after_it.rung,
        t.tier_at_risk,
        case when after_it.rung > coalesce(before_it.rung, 1) and not o.rewarded then after_it.voucher_amount else 0 end,
        case when after_it.rung > coalesce(before_it.rung, 1) and not o.rewarded then after_it.gift else '' end,
        case when not o.asked_before and not o.asked_rewarded then coalesce(asked.voucher_amount, 0) else 0 end
    from loyalty.work_profiles as p
    inner join loyalty.rules_versions as v on v.version = rules
    cross join loyalty.programme as g
    inner join loyalty.work_tiers as t on t.run_no = run and p.member_no = t.member_no
    left join loyalty.work_spend as s on s.run_no = run and p.member_no = s.member_no
    left join (
        select w.member_no, sum(w.points)::bigint as points
        from loyalty.work_points as w where w.run_no = run group by w.member_no
    ) as e on p.member_no = e.member_no
    inner join loyalty.rungs as after_it on after_it.version = rules and t.tier_after = after_it.tier_no
    left join loyalty.rungs as before_it on before_it.version = rules and p.tier_held = before_it.tier_no
    left join loyalty.rungs as asked on asked.version = rules and t.proposed_tier = asked.tier_no
    cross join lateral (
        select
            t.tier_after <> p.tier_held and exists (
                select from loyalty.rewards as w
                where w.member_no = p.member_no and w.tier_no = t.tier_after and w.earned_at < as_of
                    and w.earned_at > as_of - make_interval(months => v.reward_again_months)
            ) as rewarded,
            t.proposed_tier is not null and exists (
                select from loyalty.rewards as w
                where w.member_no = p.member_no and w.tier_no = t.proposed_tier and w.earned_at < as_of
                    and w.earned_at > as_of - make_interval(months => v.reward_again_months)
            ) as asked_rewarded,
            t.proposed_tier is not null and exists (
                select from loyalty.reviews as w
                where w.member_no = p.member_no and w.tier_no = t.proposed_tier and w.period < month and (
                    w.state = 'open' or (
                        w.state = 'rejected'
                        and ((w.decided_at at time zone g.time_zone) + make_interval(months => v.review_again_months))
                        at time zone g.time_zone > as_of
                    )
                )
            ) as asked_before
    ) as o
    where p.run_no = run
$$;

-- Two simulated runs of one month, member by member. A tier counts where it is reached or asked for, by its place on the second
-- ladder. better, worse: in points, tier, voucher or gift; a member may be both.
create function loyalty.compared_outcomes(
    run_before bigint, rules_before integer, run_after bigint, rules_after integer, month date, as_of timestamptz
)
returns table (
    member_no bigint,
    tier_held smallint,
    points_before bigint,
    points_after bigint,
    tier_before smallint,
    tier_after smallint,
    vouchers_before bigint,
    vouchers_after bigint,
    better boolean,
    worse boolean
)
language sql stable as $$
    select
        c.member_no,
        c.tier_held,
        c.points_before,
        c.points_after,
        c.tier_before,
        c.tier_after,
        c.vouchers_before,
        c.vouchers_after,
        c.points_after > c.points_before or c.rung_after > c.rung_before
        or c.vouchers_after > c.vouchers_before or (c.gift_after and not c.gift_before),
        c.points_after < c.points_before or c.rung_after < c.rung_before
        or c.vouchers_after < c.vouchers_before or (c.gift_before and not c.gift_after)
    from (
        select
            b.member_no,
            b.tier_held,
            b.points as points_before,
            a.points as points_after,
            coalesce(b.tier_asked, b.tier_after) as tier_before,
            coalesce(a.tier_asked, a.tier_after) as tier_after,
            coalesce(was.rung, b.rung_after) as rung_before,
            coalesce(becomes.rung, a.rung_after) as rung_after,
            b.voucher_amount + b.asked_voucher_amount as vouchers_before,
            a.voucher_amount + a.asked_voucher_amount as vouchers_after,
            b.gift <> '' as gift_before,
            a.gift <> '' as gift_after
        from loyalty.simulated_outcomes(run_before, rules_before, month, as_of) as b
        inner join loyalty.simulated_outcomes(run_after, rules_after, month, as_of) as a on b.member_no = a.member_no
        left join loyalty.rungs as was
            on was.version = rules_after and coalesce(b.tier_asked, b.tier_after) = was.tier_no
        left join loyalty.rungs as becomes
            on becomes.version = rules_after and coalesce(a.tier_asked, a.tier_after) = becomes.tier_no
    ) as c
$$;
