-- does:   the state in which each member opens the period: tier, balance, exact sums; members with a statement are done and left out
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, starts_at timestamptz, as_of timestamptz, first_member bigint, stop_member bigint
with posted as (
    select
        e.member_no,
        sum(e.points)::bigint as points
    from loyalty.entries as e
    where e.period = :period and e.member_no >= :first_member and e.member_no < :stop_member
    group by e.member_no
)

insert into loyalty.work_profiles (
    run_no, member_no, tier_before, tier_held, tier_now, held_until, moved_in_period, moved_since,
    opening_balance, posted_before, periods_since, exact_sum, exact_before_window, exact_unnamed, exact_window
)
select
    :run_no,
    a.member_no,
    case
        when a.tier_since <= :starts_at then a.tier_no
        else (
            select h.from_tier_no from loyalty.tier_history as h
            where h.member_no = a.member_no and h.effective_at > :starts_at order by h.effective_at limit 1
        )
    end as tier_before,
    case
        when a.tier_since < :as_of then a.tier_no
        else (
            select h.from_tier_no from loyalty.tier_history as h
            where h.member_no = a.member_no and h.effective_at >= :as_of order by h.effective_at limit 1
        )
    end as tier_held,
    a.tier_no as tier_now,
    a.held_until,
    case
        when a.tier_since <= :starts_at then false
        else exists (
            select from loyalty.tier_history as h
            where h.member_no = a.member_no and h.effective_at > :starts_at and h.effective_at < :as_of
        )
    end as moved_in_period,
    a.tier_since >= :as_of as moved_since,
    a.closing_balance as opening_balance,
    coalesce(posted.points, 0) as posted_before,
    case
        when a.stated_period is null then 1
        when a.stated_period = (:period - interval '1 month')::date then 1
        else (extract(year from :period) * 12 + extract(month from :period)
            - extract(year from a.stated_period) * 12 - extract(month from a.stated_period))::integer
    end as periods_since,
    a.exact_sum,
    a.exact_before_window,
    a.exact_unnamed,
    a.exact_window
from loyalty.accounts as a
left join posted on a.member_no = posted.member_no
where a.member_no >= :first_member and a.member_no < :stop_member
    and not exists (
        select from loyalty.statements as s where s.period = :period and s.member_no = a.member_no
    )
order by a.member_no
