-- does:   a review for each held upgrade of the period that has none open and was not rejected lately; a backfill that approves
--         records the decision at once, on the open review where there is one
-- again:  one open review per member and tier, and one per member, tier and period, make a repeat write nothing
-- params: period date, first_member bigint, stop_member bigint, version integer, reviews text, decided_by text, recorded_at timestamptz
with proposed as (
    select
        s.*,
        :reviews = 'approve' and s.tier_after = s.proposed_tier as approved,
        v.review_days,
        p.time_zone
    from loyalty.statements as s
    inner join loyalty.rules_versions as v on v.version = :version
    cross join loyalty.programme as p
    where s.period = :period and s.member_no >= :first_member and s.member_no < :stop_member
        and s.proposed_tier is not null
        and not exists (
            select from loyalty.reviews as r
            where r.member_no = s.member_no and r.tier_no = s.proposed_tier and r.state = 'rejected'
                and ((r.decided_at at time zone p.time_zone) + make_interval(months => v.review_again_months))
                at time zone p.time_zone > loyalty.period_start((:period + interval '1 month')::date)
        )
),

approved as (
    update loyalty.reviews as r
    set
        state = 'approved',
        decided_by = :decided_by,
        decided_at = :recorded_at,
        effective_at = loyalty.period_start((:period + interval '1 month')::date),
        note = 'approved by the backfill of ' || to_char(:period, 'YYYY-MM')
    from proposed as s
    where s.approved
        and r.member_no = s.member_no and r.tier_no = s.proposed_tier and r.state = 'open'
    returning r.member_no
)

insert into loyalty.reviews (
    member_no, tier_no, from_tier_no, period, qualifying_points, spend, state, asked_at, due_at,
    decided_by, decided_at, effective_at, note
)
select
    s.member_no,
    s.proposed_tier,
    s.tier_held,
    s.period,
    s.qualifying_points,
    s.spend,
    case when s.approved then 'approved' else 'open' end,
    :recorded_at,
    ((:recorded_at at time zone s.time_zone) + make_interval(days => s.review_days)) at time zone s.time_zone,
    case when s.approved then :decided_by end,
    case when s.approved then :recorded_at end,
    case when s.approved then loyalty.period_start((:period + interval '1 month')::date) end,
    case when s.approved then 'approved by the backfill of ' || to_char(:period, 'YYYY-MM') end
from proposed as s
where not exists (
    select from loyalty.reviews as r
    where r.member_no = s.member_no and r.tier_no = s.proposed_tier and r.state = 'open'
)
and not exists (select from approved as a where a.member_no = s.member_no)
order by s.member_no
on conflict do nothing
