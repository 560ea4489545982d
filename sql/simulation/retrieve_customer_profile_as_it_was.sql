-- does:   the state in which each member opened a closed period, from the statements before it: step 1 of a simulation
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint
insert into loyalty.work_profiles (
    run_no, member_no, tier_before, tier_held, tier_now, held_until, moved_in_period, moved_since,
    opening_balance, posted_before, periods_since, exact_sum, exact_before_window, exact_unnamed, exact_window
)
select
    :run_no,
    a.member_no,
    coalesce(own.tier_before, before.tier_after, lowest.tier_no),
    coalesce(own.tier_held, before.tier_after, lowest.tier_no),
    coalesce(own.tier_held, before.tier_after, lowest.tier_no),
    before.held_until,
    coalesce(own.tier_held <> own.tier_before, false),
    false,
    coalesce(before.closing_balance, 0),
    0,
    coalesce(
        (extract(year from :period) * 12 + extract(month from :period)
            - extract(year from before.period) * 12 - extract(month from before.period))::integer, 1
    ),
    coalesce(before.exact_sum, 0),
    coalesce(before.exact_before_window, 0),
    coalesce(before.exact_unnamed, 0),
    coalesce(before.exact_window, '{}')
from loyalty.accounts as a
cross join lateral (
    select l.tier_no from loyalty.rules_in_force as r
    inner join loyalty.ladder as l on r.version = l.version and l.rung = 1
    where r.from_period <= :period and :period < r.until_period
) as lowest
left join loyalty.statements as own on own.period = :period and a.member_no = own.member_no
left join (
    select distinct on (s.member_no) s.* from loyalty.statements as s
    where s.period < :period and s.member_no >= :first_member and s.member_no < :stop_member
    order by s.member_no, s.period desc
) as before on a.member_no = before.member_no
where a.member_no >= :first_member and a.member_no < :stop_member
order by a.member_no
