-- does:   rates the rows of sales of the month, and what is due in it and rated later, by the tier that would have been held: the highest of
--         the one the month opened in and those that managers gave by then; a tier that the rules of that day did not know multiplies by 1
-- again:  rated rows are left as they are
-- params: run_no bigint, recompute_no bigint, period date, starts_at timestamptz, recorded_at timestamptz, version integer
update loyalty.recompute_rows as r
set due_per_unit = r.rate_per_unit * coalesce(l.multiplier, 1)
from loyalty.recompute_rows as t
inner join loyalty.work_profiles as p on p.run_no = :run_no and t.member_no = p.member_no
cross join lateral (
    select held.tier_no
    from (
        select
            p.tier_before as tier_no,
            coalesce((select u.rung from loyalty.rungs as u where u.version = :version and u.tier_no = p.tier_before), 1) as rung
        union all
        select
            h.tier_no,
            u.rung
        from loyalty.tier_history as h
        inner join loyalty.rungs as u on u.version = :version and h.tier_no = u.tier_no
        where h.member_no = p.member_no and h.review_no is not null
            and h.effective_at >= :starts_at and h.effective_at <= t.rated_at and h.recorded_at <= :recorded_at
    ) as held
    order by held.rung desc
    limit 1
) as held
left join loyalty.ladder as l on t.version = l.version and held.tier_no = l.tier_no
where r.ctid = t.ctid
    and t.recompute_no = :recompute_no and t.due_per_unit is null and (t.rated_in <= :period or t.due_period <= :period)
