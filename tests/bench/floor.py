"""The floor of a monthly close: the least SQL that gives the same kinds of rows, on one connection.

It has no steps to retry, no batches, no rules, no approval and no audit beyond the rows themselves, so a real close
can only approach it. The product's close is measured beside it, on the same counts, against the same server with the
same settings, in the same run; the ratio is the figure.
"""

import time

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells small

SCHEMA = """
create schema floor;
set search_path = floor;
create table members (
    member_id bigint primary key, customer_id text unique not null, email text, phone text,
    tier smallint not null default 0, balance bigint not null default 0, lifetime bigint not null default 0,
    updated_at timestamptz not null default now());
create table transactions (
    transaction_id bigint primary key, source_id text unique not null, member_id bigint not null,
    amount bigint not null, occurred_at timestamptz not null);
create table entries (
    entry_id bigint generated always as identity primary key, member_id bigint not null, kind text not null,
    points bigint not null, period date, occurred_at timestamptz not null default now());
create unique index entries_once on entries (member_id, period, kind);
create table lots (
    entry_id bigint primary key, member_id bigint not null, remaining bigint not null, expires_on date not null);
create index lots_by_member on lots (member_id);
create table statements (
    period date, member_id bigint, transactions int, spend bigint, points bigint, tier_before smallint,
    tier_after smallint, closing_balance bigint, primary key (period, member_id));
create table vouchers (
    code text primary key, member_id bigint not null, period date, expires_on date not null);
create table notices (
    notice_id bigint generated always as identity primary key, member_id bigint not null, kind text not null,
    period date not null, points bigint, state text not null default 'queued');
create unique index notices_once on notices (member_id, period, kind);
"""

LOAD = """
insert into members select g, 'C' || g, 'c' || g || '@example.com', '+1555' || lpad(g::text, 8, '0')
from generate_series(1, %(members)s) g;
select setseed(0.5);
insert into transactions select g, 'T' || g, 1 + (random() * (%(members)s - 1))::bigint, (random() * 20000)::bigint,
    timestamptz '2026-10-01 00:00+00' + random() * interval '31 days'
from generate_series(1, %(transactions)s) g;
create index transactions_when on transactions (occurred_at);
"""

CLOSE = {
    "spend": """create unlogged table spend as
        select m.member_id, m.tier, m.balance, m.lifetime, t.n, t.spend, floor(t.spend * 0.1 / 100)::bigint points
        from (select member_id, count(*)::int n, sum(amount)::bigint spend from transactions
              where occurred_at >= '2026-10-01 00:00+00' and occurred_at < '2026-11-01 00:00+00' group by 1) t
        join members m using (member_id)""",
    "entries and lots": """with posted as (
            insert into entries (member_id, kind, points, period)
            select member_id, 'earn', points, '2026-10-01' from spend where points > 0
            returning entry_id, member_id, points)
        insert into lots select entry_id, member_id, points, '2027-10-31' from posted""",
    "statements": """insert into statements
        select '2026-10-01', member_id, n, spend, points, tier,
               case when lifetime + points >= 55 then 2 when lifetime + points >= 35 then 1 else 0 end,
               balance + points from spend""",
    "members": """update members m set balance = balance + s.points, lifetime = m.lifetime + s.points,
        tier = s.tier_after, updated_at = now() from statements s
        where s.member_id = m.member_id and s.period = '2026-10-01'""",
    "vouchers": """insert into vouchers
        select upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 16)), member_id, period, '2027-01-31'
        from statements where period = '2026-10-01' and tier_after > tier_before""",
    "points notices": """insert into notices (member_id, kind, period, points)
        select member_id, 'points', period, points from statements where period = '2026-10-01' and points > 0""",
    "tier notices": """insert into notices (member_id, kind, period)
        select member_id, 'tier', period from statements where period = '2026-10-01' and tier_after > tier_before""",
    "reports": """select count(*), sum(points), count(*) filter (where tier_after > tier_before),
        avg(spend) filter (where tier_after = 2), avg(spend) filter (where tier_after = 1)
        from statements where period = '2026-10-01'""",
}

ROWS = """select
    (select count(*) from floor.statements) as statements, (select count(*) from floor.entries) as entries,
    (select count(*) from floor.lots) as lots, (select count(*) from floor.vouchers) as vouchers,
    (select count(*) from floor.notices) as messages"""


def load(connection: Connection, *, members: int, transactions: int) -> None:
    """Make the tables, in a schema `floor`, and fill them."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        cursor.execute(LOAD, {"members": members, "transactions": transactions})


def close(connection: Connection) -> dict[str, float]:
    """Close October 2026, each stage in a transaction of its own; the seconds of each."""
    seconds = {}
    with connection.cursor() as cursor:
        cursor.execute("set search_path = floor")
        for stage, statement in CLOSE.items():
            started = time.perf_counter()
            cursor.execute(statement)
            seconds[stage] = time.perf_counter() - started
    return seconds
