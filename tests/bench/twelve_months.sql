-- The twelve months before, for members that are there: a sale in the first, fifth and ninth, of 10.00 to 91.91 each, so that
-- nobody leaves the first tier; twelve statements; three lots, of which the first expires at the end of the month that follows.
-- What is posted is what closes of these months would have posted: every check must hold. Their closes are recorded afterwards.

create temporary table months as
select
    age::integer,
    (date '2025-10-01' + make_interval(months => age::integer))::date as period,
    age in (0, 4, 8) as buys
from generate_series(0, 11) as age;

select loyalty.ensure_period(period), loyalty.ensure_statements(period) from months order by period;

-- the exact points of a member's three sales: a thousandth of the minor units
create temporary table sales as
select
    m.member_no,
    (1000 + (hashint8extended(m.member_no, 0) & 8191)) * 0.001 as first,
    (1000 + (hashint8extended(m.member_no, 4) & 8191)) * 0.001 as second,
    (1000 + (hashint8extended(m.member_no, 8) & 8191)) * 0.001 as third
from loyalty.members as m;

-- age: of the month, 0 to 11; own: its exact points; up_to: those through it
create temporary view sums as
select
    s.member_no,
    n.age,
    n.period,
    n.buys,
    case n.age when 0 then s.first when 4 then s.second when 8 then s.third else 0 end as own,
    s.first + case when n.age >= 4 then s.second else 0 end + case when n.age >= 8 then s.third else 0 end as up_to,
    (array[0, 0, 0, s.third, 0, 0, 0, s.second, 0, 0, 0, s.first])[12 - n.age : 12] as exact_window
from sales as s
cross join months as n;

insert into loyalty.transactions (
    booked_period, member_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency
)
select
    u.period, u.member_no, s.source_no, 'H' || u.age || '-' || u.member_no, 'sale',
    (u.period + (u.member_no & 15)::integer)::timestamp at time zone 'UTC' + interval '12 hours',
    loyalty.period_start((u.period + interval '1 month')::date), (u.own * 1000)::bigint, 'USD'
from sums as u
inner join loyalty.sources as s on s.name = 'default'
where u.buys
order by u.period, u.member_no;

insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)
select t.source_no, t.transaction_id, t.transaction_no, t.member_no, t.booked_period
from loyalty.transactions as t
where t.booked_period < '2026-10-01'
order by t.transaction_id collate "C";

insert into loyalty.entries (period, member_no, kind, points, occurred_at, recorded_at)
select
    u.period, u.member_no, 'earn', floor(u.up_to) - floor(u.up_to - u.own),
    loyalty.period_start((u.period + interval '1 month')::date), loyalty.period_start((u.period + interval '1 month')::date)
from sums as u
where u.buys
order by u.period, u.member_no;

insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
select
    e.entry_id, e.member_no, e.period, e.points, e.points, e.occurred_at,
    loyalty.period_start((e.period + interval '13 months')::date)
from loyalty.entries as e
order by e.entry_id;

insert into loyalty.statements (
    period, member_no, opening_balance, transactions, spend, points_earned, points_redeemed, points_expired, points_adjusted,
    closing_balance, qualifying_points, tier_before, tier_held, tier_after, tier_at_risk,
    exact_sum, exact_before_window, exact_unnamed, exact_window
)
select
    u.period, u.member_no, floor(u.up_to - u.own), u.buys::integer, u.own * 1000, floor(u.up_to) - floor(u.up_to - u.own), 0, 0, 0,
    floor(u.up_to), floor(u.up_to), l.tier_no, l.tier_no, l.tier_no, false,
    u.up_to, 0, 0, u.exact_window
from sums as u
inner join loyalty.ladder as l on l.rung = 1
order by u.period, u.member_no;

update loyalty.accounts as a
set
    balance = s.closing_balance,
    stated_period = s.period,
    closing_balance = s.closing_balance,
    exact_sum = s.exact_sum,
    exact_window = s.exact_window
from loyalty.statements as s
where s.period = '2026-09-01' and s.member_no = a.member_no;
