-- Members, their accounts, and one month of sales, in a programme just set up. Amount and instant of each sale are the
-- floor's: the same draws in the same order. Rows lie as imports leave them: parts of 300,000, members in order in each.

insert into loyalty.members (customer_id, email, phone, email_consent, sms_consent, enrolled_at)
select 'C' || n, 'c' || n || '@example.com', '+1555' || lpad(n::text, 8, '0'), true, true, '2025-09-30 00:00+00'
from generate_series(1, %(members)s) as n;

insert into loyalty.accounts (member_no, tier_no)
select m.member_no, l.tier_no
from loyalty.members as m
inner join loyalty.ladder as l on l.rung = 1
order by m.member_no;

insert into loyalty.sources (name) values ('default') on conflict do nothing;
select loyalty.ensure_period('2026-10-01');
select setseed(0.5);

insert into loyalty.transactions (
    booked_period, member_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency
)
select '2026-10-01', d.member_no, s.source_no, d.transaction_id, 'sale', d.occurred_at, '2026-11-01 06:00+00', d.amount, 'USD'
from (
    select
        n,
        'T' || n as transaction_id,
        1 + (random() * (%(members)s - 1))::bigint as member_no,
        (random() * 20000)::bigint as amount,
        timestamptz '2026-10-01 00:00+00' + random() * interval '31 days' as occurred_at
    from generate_series(1, %(transactions)s) as n
    offset 0
) as d
inner join loyalty.sources as s on s.name = 'default'
order by (d.n - 1) / 300000, d.member_no, d.occurred_at;

insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)
select t.source_no, t.transaction_id, t.transaction_no, t.member_no, t.booked_period
from loyalty.transactions as t
order by t.transaction_id collate "C";
