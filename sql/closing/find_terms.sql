-- does:   the version of the rules in force for a period and what a close needs of it: where its lots begin and end, the periods whose
--         points are still pending at its end, each by the rules of its own day, which member numbers there are
-- again:  reads only
-- params: period date
select
    r.version,
    r.shortfall,
    r.spend_window,
    loyalty.day_start((:period + interval '1 month')::date + r.pending_days) as available_at,
    loyalty.points_expire_at(:period, r.expiry_months) as expires_at,
    array(
        select earlier.month::date
        from generate_series(:period - interval '24 months', :period, interval '1 month') as earlier (month)
        inner join loyalty.rules_in_force as then_rules
            on then_rules.from_period <= earlier.month and earlier.month < then_rules.until_period
        where (earlier.month + interval '1 month')::date + then_rules.pending_days > (:period + interval '1 month')::date
    ) as pending_periods,
    coalesce((select min(m.member_no) from loyalty.members as m), 1) as first_member,
    coalesce((select max(m.member_no) from loyalty.members as m), 0) + 1 as stop_member
from loyalty.rules_in_force as r
where r.from_period <= :period and :period < r.until_period
