-- The close of a period: its statements, its record, and the working tables of a run.

-- A member's month. The row is also the mark that the close is done with the member, and the state that the next close opens with.
create table loyalty.statements (
    period date not null,
    member_no bigint not null,
    opening_balance bigint not null,
    transactions integer not null,
    spend bigint not null,
    points_earned bigint not null,
    points_redeemed bigint not null,
    points_expired bigint not null,
    points_adjusted bigint not null,
    closing_balance bigint not null,
    qualifying_points bigint not null,
    tier_before smallint not null,
    tier_held smallint not null,
    tier_after smallint not null,
    proposed_tier smallint,
    tier_at_risk boolean not null,
    held_until date,
    exact_sum numeric not null,
    exact_before_window numeric not null,
    exact_unnamed numeric not null,
    exact_window numeric [] not null,
    primary key (period, member_no),
    check (opening_balance + points_earned - points_redeemed - points_expired + points_adjusted = closing_balance)
) partition by range (period);

comment on column loyalty.statements.tier_held is 'the tier held when the period ended, before the close moved it';
comment on column loyalty.statements.proposed_tier is 'the tier of an upgrade that needs a manager; null if none was due';

-- Warnings of members who have nothing to state, so that a close can send them after a crash; the others stand in statements.
create table loyalty.tier_warnings (
    period date not null,
    member_no bigint not null,
    tier_no smallint not null,
    qualifying_points bigint not null,
    held_until date not null,
    primary key (period, member_no)
);

create table loyalty.closes (
    period date primary key references loyalty.periods,
    rules_version integer not null references loyalty.rules_versions,
    reviews text not null check (reviews in ('hold', 'approve')),
    approved_by text,
    notify boolean not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    statements bigint,
    input_digest numeric,
    output_digest numeric
);

-- Stored reports: the numbers behind an artifact, newest revision last.
create table loyalty.reports (
    period date not null,
    kind text not null check (kind in ('health', 'roi')),
    revision integer not null,
    made_at timestamptz not null,
    numbers jsonb not null,
    primary key (period, kind, revision)
);

-- A run owns partitions of each working table, one for each batch of members. They are unlogged and dropped with the run: a
-- crash of the server empties them together with work_marks, and the steps that follow notice that the mark is missing. A batch
-- is written in the order of its members and gets its key when it stands, which takes a fifth of the time that keeping one takes.
create table loyalty.runs (
    run_no bigint generated always as identity primary key,
    period date not null,
    simulated boolean not null,
    candidate integer references loyalty.rules_versions on delete set null,
    started_at timestamptz not null
);

create table loyalty.work_profiles (
    run_no bigint not null,
    member_no bigint not null,
    tier_before smallint not null,
    tier_held smallint not null,
    tier_now smallint not null,
    held_until date,
    moved_in_period boolean not null,
    moved_since boolean not null,
    opening_balance bigint not null,
    posted_before bigint not null,
    periods_since integer not null,
    exact_sum numeric not null,
    exact_before_window numeric not null,
    exact_unnamed numeric not null,
    exact_window numeric [] not null
) partition by range (run_no, member_no);

-- A member's transactions of one sale's period and one rate stand in one row: what they earn is linear, so nothing is lost by it.
create table loyalty.work_transactions (
    run_no bigint not null,
    member_no bigint not null,
    sale_period date not null,
    unnamed boolean not null,
    points_per_unit numeric not null,
    transactions integer not null,
    eligible bigint not null
) partition by range (run_no, member_no);

create table loyalty.work_spend (
    run_no bigint not null,
    member_no bigint not null,
    transactions integer not null,
    spend bigint not null
) partition by range (run_no, member_no);

-- unnamed is the part of exact from refunds that name no sale. sale_period is the period itself for its own net, an earlier one for a take-back. rank orders a member's postings.
create table loyalty.work_points (
    run_no bigint not null,
    member_no bigint not null,
    sale_period date not null,
    rank smallint not null,
    exact numeric not null,
    unnamed numeric not null,
    points bigint not null
) partition by range (run_no, member_no);

create table loyalty.work_tiers (
    run_no bigint not null,
    member_no bigint not null,
    qualifying_points bigint not null,
    tier_after smallint not null,
    proposed_tier smallint,
    tier_at_risk boolean not null,
    held_until date,
    take_backs boolean not null,
    exact_sum numeric not null,
    exact_before_window numeric not null,
    exact_unnamed numeric not null
) partition by range (run_no, member_no);

comment on column loyalty.work_profiles.posted_before is 'points of the period''s entries that stood before the close';
comment on column loyalty.work_profiles.periods_since is 'months since the statement that the state is of: 1 = the month before';
comment on column loyalty.work_tiers.take_backs is 'whether refunds of earlier periods'' sales change the window';

create table loyalty.work_marks (
    run_no bigint not null,
    step text not null,
    first_member bigint not null,
    stop_member bigint not null,
    rows bigint not null,
    primary key (run_no, step, first_member)
) partition by list (run_no);

-- What the digests of a close add up: a hash of each transaction as it came in, and of each statement as it went out.
create view loyalty.transaction_hashes as
select
    t.booked_period as period,
    hashtextextended(
        t.transaction_id, hashint8extended(t.amount, hashfloat8extended(date_part('epoch', t.occurred_at), 0))
    ) as hash
from loyalty.transactions as t;

create view loyalty.statement_hashes as
select
    s.period,
    hashint8extended(s.member_no, hashint8extended(s.opening_balance, hashint8extended(s.transactions,
        hashint8extended(s.spend, hashint8extended(s.points_earned, hashint8extended(s.points_redeemed,
            hashint8extended(s.points_expired, hashint8extended(s.points_adjusted, hashint8extended(s.closing_balance,
                hashint8extended(s.qualifying_points, hashint8extended(s.tier_before, s.tier_after)
                )))))))))) as hash
from loyalty.statements as s;
