-- does:   what each member's purchases say as of an instant: recency, frequency and money of the window in quintiles of the active, and the
--         segments. A score is 1 + the whole part of 5 x (active members who are strictly worse) / (active members): equals score alike
-- again:  the table is emptied before, in the same transaction; two never compute at once
-- params: as_of timestamptz, active_days integer, one_time_days integer, near_share numeric
with terms as materialized (
    select
        g.time_zone,
        v.version,
        (:as_of at time zone g.time_zone)::date as today,
        loyalty.day_start((:as_of at time zone g.time_zone)::date - :active_days) as active_from,
        loyalty.day_start((:as_of at time zone g.time_zone)::date - :one_time_days) as one_time_before
    from loyalty.programme as g
    cross join loyalty.rules_in_force as v
    where v.starts_at <= :as_of and :as_of < v.ends_at
),

measured as materialized (
    select
        b.*,
        case when b.frequency > 0 then x.today - (b.last_at at time zone x.time_zone)::date end as days
    from (
        select
            e.member_no,
            count(*) filter (where e.is_purchase) as purchases,
            max(e.occurred_at) filter (where e.is_purchase) as last_at,
            count(*) filter (where e.is_purchase and e.in_window) as frequency,
            coalesce(sum(e.eligible) filter (where e.in_window), 0)::bigint as monetary
        from (
            select
                t.member_no,
                t.occurred_at,
                t.eligible,
                t.kind = 'sale' and t.transaction_no not in (select c.corrected_no from loyalty.corrections as c) as is_purchase,
                t.occurred_at >= (select x.active_from from terms as x) as in_window
            from loyalty.eligible_transactions as t
            where t.occurred_at <= :as_of
            offset 0 -- so that what counts as a purchase is asked once
        ) as e
        group by e.member_no
    ) as b
    cross join terms as x
    where b.purchases > 0
),

total as materialized (
    select count(*) as members from measured as m where m.frequency > 0
),

recency as (
    select
        d.days,
        1 + 5 * (sum(d.members) over (order by d.days desc) - d.members)::bigint / t.members as score
    from (select m.days, count(*) as members from measured as m where m.frequency > 0 group by m.days) as d
    cross join total as t
),

frequency as (
    select
        d.frequency,
        1 + 5 * (sum(d.members) over (order by d.frequency) - d.members)::bigint / t.members as score
    from (select m.frequency, count(*) as members from measured as m where m.frequency > 0 group by m.frequency) as d
    cross join total as t
),

-- what was missing to the rung above the one held, at the last close that stated the member
missing as materialized (
    select
        a.member_no,
        n.threshold,
        n.threshold - q.qualifying_points as points
    from loyalty.accounts as a
    inner join loyalty.statements as q on a.stated_period = q.period and a.member_no = q.member_no
    inner join loyalty.ladder as l on a.tier_no = l.tier_no
    inner join terms as x on l.version = x.version
    inner join loyalty.ladder as n on l.version = n.version and n.rung = l.rung + 1
    where n.threshold > q.qualifying_points
),

scored as (
    select
        m.*,
        r.score as recency_score,
        f.score as frequency_score,
        case
            when m.frequency > 0
                then 1 + 5 * (rank() over (partition by m.frequency > 0 order by m.monetary) - 1) / t.members
        end as monetary_score
    from measured as m
    cross join total as t
    left join recency as r on m.days = r.days
    left join frequency as f on m.frequency = f.frequency
)

insert into loyalty.segments (
    member_no, as_of, purchases, last_purchase_at, frequency, monetary, recency_score, frequency_score, monetary_score,
    points_to_next, active, one_time, at_risk, lapsed, near_threshold, best
)
select
    s.member_no,
    :as_of,
    s.purchases,
    s.last_at,
    s.frequency,
    s.monetary,
    s.recency_score,
    s.frequency_score,
    s.monetary_score,
    n.points,
    s.frequency > 0,
    s.purchases = 1 and s.last_at < x.one_time_before,
    coalesce(s.recency_score <= 2 and s.frequency_score >= 3, false),
    s.frequency = 0,
    coalesce(n.points <= :near_share * n.threshold, false),
    coalesce(s.recency_score = 5 and s.frequency_score = 5 and s.monetary_score = 5, false)
from scored as s
cross join terms as x
left join missing as n on s.member_no = n.member_no
where s.member_no not in (select m.member_no from loyalty.members as m where m.erased_at is not null)
order by s.member_no
