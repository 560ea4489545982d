-- What was done to this database, and the schema that holds everything of ours.

create schema if not exists loyalty;
set search_path = loyalty;

-- sha256: of the migration's file, so that one changed after it was applied is found.
create table migrations (
    number integer primary key,
    name text not null unique,
    sha256 text not null,
    applied_at timestamptz not null
);
-- The programme itself: its zone, its months, its currencies, and the versions of its rules.

create schema if not exists loyalty;
set search_path = loyalty;

-- One row. The zone is fixed by the first migrate: every period boundary depends on it.
create table programme (
    only_one boolean primary key default true check (only_one),
    time_zone text not null
);

-- The first instant of a day, in the programme's zone. Where a midnight comes twice the day begins with the first one, where it
-- never comes with the first instant after.
create function day_start(day date) returns timestamptz
language sql stable parallel safe as $$
    select case
        when ((later.midnight - interval '1 hour') at time zone p.time_zone)::date >= day
            then later.midnight - interval '1 hour'
        else later.midnight
    end
    from loyalty.programme as p
    cross join lateral (select day::timestamp at time zone p.time_zone as midnight) as later
$$;

-- ISO 4217: how many decimals the minor unit of a currency has.
create table currencies (
    currency text primary key check (currency ~ '^[A-Z]{3}$'),
    minor_digits smallint not null check (minor_digits between 0 and 4)
);

insert into currencies (currency, minor_digits)
select code, digits
from (values
    (0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'),
    (2, 'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP '
        'CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS '
        'KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD '
        'PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP '
        'TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG'),
    (3, 'BHD IQD JOD KWD LYD OMR TND')
) as list (digits, codes), unnest(string_to_array(codes, ' ')) as code;

-- A tier keeps its number for good, whatever ladders it stands on.
create table tiers (
    tier_no smallint generated always as identity primary key,
    name text not null unique
);

-- One typed column per key of the rules file. A version holds from its month until a later month's version.
-- candidate: a version that only a simulation may see, and that goes with it.
create table rules_versions (
    version integer generated always as identity primary key,
    from_period date not null check (from_period = '-infinity' or extract(day from from_period) = 1),
    starts_at timestamptz not null,
    minor_digits smallint not null,
    candidate boolean not null default false,
    applied_at timestamptz not null,
    applied_by text not null,
    document text not null,
    name text not null,
    currency text not null references currencies,
    starts_on date not null,
    languages text [] not null,
    rate numeric not null check (rate >= 0),
    earning text not null check (earning in ('monthly', 'on_purchase')),
    spend_window text not null check (spend_window in ('period', 'last_30_days')),
    pending_days integer not null check (pending_days >= 0),
    earn_on_tax boolean not null,
    earn_on_shipping boolean not null,
    earn_on_tip boolean not null,
    earn_on_fee boolean not null,
    earn_on_gift_card boolean not null,
    earn_on_paid_with_points boolean not null,
    shortfall text not null check (shortfall in ('owe', 'write_off')),
    expiry_months integer check (expiry_months > 0),
    expiry_warning_days integer not null,
    undo_grace_days integer not null,
    qualify text not null check (qualify in ('trailing_12_months', 'lifetime', 'period')),
    hold_months integer not null check (hold_months >= 0),
    downgrade text not null check (downgrade in ('one_step', 'never')),
    review_above_points bigint,
    review_days integer not null,
    review_overdue text not null check (review_overdue in ('lapse', 'escalate')),
    review_again_months integer not null,
    approvers text [] not null,
    reward_again_months integer not null,
    voucher_days integer not null,
    voucher_warning_days integer not null,
    point_value numeric not null
);

comment on column rules_versions.starts_at is 'the instant at which from_period begins; filled in, like minor_digits, when the version is stored';
comment on column rules_versions.spend_window is 'the key `window` of the rules file';
comment on column rules_versions.rate is 'points for one major unit of the currency';
comment on column rules_versions.point_value is 'what a point is worth to the books, in major units';

create function place_rules_version() returns trigger language plpgsql as $$
begin
    select loyalty.day_start(new.from_period) into strict new.starts_at;
    select c.minor_digits into strict new.minor_digits from loyalty.currencies as c where c.currency = new.currency;
    return new;
end $$;

create trigger rules_version_placed before insert on rules_versions for each row execute function place_rules_version();

create table ladder (
    version integer not null references rules_versions on delete cascade,
    tier_no smallint not null references tiers,
    rung smallint not null check (rung >= 1),
    threshold bigint not null check (threshold >= 0),
    multiplier numeric not null check (multiplier >= 0),
    review boolean not null,
    voucher_amount bigint not null default 0 check (voucher_amount >= 0),
    gift text not null default '',
    primary key (version, tier_no),
    unique (version, rung),
    unique (version, threshold)
);

comment on column ladder.voucher_amount is 'minor units; 0 = the tier brings no voucher';

-- A month of the programme, made when something is first booked to it. Writers share-lock the row of the
-- period they book to, so that a close, which updates it, waits for them and they for it.
create table periods (
    period date primary key check (extract(day from period) = 1),
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'closing', 'closed')),
    check (starts_at < ends_at)
);
-- Who takes part. Personal data lives here and nowhere else.

create table loyalty.members (
    member_no bigint generated always as identity primary key,
    customer_id text not null unique check (length(customer_id) between 1 and 200),
    email text check (length(email) <= 320),
    phone text check (length(phone) <= 40),
    first_name text check (length(first_name) <= 200),
    last_name text check (length(last_name) <= 200),
    birthday date,
    joined_on date,
    time_zone text,
    language text,
    email_consent boolean not null default false,
    sms_consent boolean not null default false,
    enrolled_at timestamptz not null,
    erased_at timestamptz
);

-- What the books know of a member: the balance, the tier now held, and the state in which the last close left the member.
-- Rows are updated by every close, so half of each page is kept free for updates in place. A check holds each to its member: a
-- foreign key would cost an enrolment of a million as much as the rows themselves.
create table loyalty.accounts (
    member_no bigint primary key,
    balance bigint not null default 0,
    tier_no smallint not null,
    tier_since timestamptz not null default '-infinity',
    held_until date,
    stated_period date,
    closing_balance bigint not null default 0,
    exact_sum numeric not null default 0,
    exact_before_window numeric not null default 0,
    exact_unnamed numeric not null default 0,
    exact_window numeric [] not null default '{}'
) with (fillfactor = 45);

comment on column loyalty.accounts.balance is 'sum of all entries of the member: a cache that checks prove';
comment on column loyalty.accounts.held_until is 'the tier is safe until this month begins; null on the first rung';
comment on column loyalty.accounts.stated_period is 'the last period with a statement; the columns after it are as that statement left them';
comment on column loyalty.accounts.exact_sum is 'points earned so far, exactly, net of refunds';
comment on column loyalty.accounts.exact_before_window is 'the part of exact_sum from sales older than twelve periods';
comment on column loyalty.accounts.exact_unnamed is 'the part of exact_sum from refunds that name no sale: in no period''s sales';
comment on column loyalty.accounts.exact_window is 'exact points by the period of the sale, the stated period first, at most twelve';
-- What was bought and brought back.

create table loyalty.sources (
    source_no smallint generated always as identity primary key,
    name text not null unique check (length(name) between 1 and 100)
);

create table loyalty.exchange_rates (
    day date not null,
    currency text not null references loyalty.currencies,
    rate numeric not null check (rate > 0),
    primary key (currency, day)
);

comment on column loyalty.exchange_rates.rate is 'major units of the programme''s currency for one major unit of this one';

-- The promise that (source, transaction id) is recorded once, for good. A table of its own, so that transactions
-- can be spread or partitioned without giving it up.
create table loyalty.transaction_keys (
    source_no smallint not null,
    transaction_id text not null check (length(transaction_id) between 1 and 200),
    transaction_no bigint not null,
    member_no bigint not null,
    booked_period date not null,
    primary key (source_no, transaction_id)
);

-- Amounts are minor units of the transaction's own currency; exchange_rate is null in the programme's.
-- A refund that names its sale keeps the sale's place, found when it was recorded.
create table loyalty.transactions (
    booked_period date not null,
    member_no bigint not null,
    transaction_no bigint generated always as identity,
    source_no smallint not null,
    transaction_id text not null,
    kind text not null check (kind in ('sale', 'refund')),
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    amount bigint not null check (amount >= 0),
    currency text not null,
    exchange_rate numeric,
    tax bigint, shipping bigint, tip bigint, fee bigint, gift_card bigint, paid_with_points bigint, discount bigint,
    channel text, location text,
    sale_no bigint,
    sale_period date,
    primary key (booked_period, member_no, transaction_no)
);

comment on column loyalty.transactions.exchange_rate is 'the programme''s minor units for one minor unit, at the rate of the sale''s day';

create index refunds_of_period on loyalty.transactions (booked_period, member_no) where sale_no is not null;
create index refunds_of_sale on loyalty.transactions (sale_no, booked_period, transaction_no) where sale_no is not null;
-- What an import reads a file into. The tables here never hold a row: they are the shapes of the temporary tables that
-- loyalty.open_import makes under the same names for one session, and that go with it, however it ends.

-- The words of the file, as they stand. line: where the row begins in the file, the header being line 1.
create table loyalty.import_transactions_raw (
    line bigint not null,
    source text, transaction_id text, customer_id text, kind text, occurred_at text, amount text, currency text,
    original_transaction_id text, channel text, location text,
    tax text, shipping text, tip text, fee text, gift_card text, paid_with_points text, discount text
);

create table loyalty.import_members_raw (
    line bigint not null,
    customer_id text, email text, phone text, first_name text, last_name text, birthday text, joined_on text,
    time_zone text, language text, email_consent text, sms_consent text
);

create table loyalty.import_rates_raw (
    line bigint not null,
    date text, currency text, rate text
);

-- The same rows, judged: a row with a reason is rejected, one that is unchanged is recorded already, one that is
-- later comes after a row of the same id in the file. Amounts are minor units of the row's own currency.
create table loyalty.import_transactions (
    line bigint not null,
    source text,
    kind text,
    transaction_id text,
    customer_id text,
    occurred_at timestamptz,
    month date,
    amount bigint,
    currency text,
    exchange_rate numeric,
    tax bigint, shipping bigint, tip bigint, fee bigint, gift_card bigint, paid_with_points bigint, discount bigint,
    channel text, location text,
    original_transaction_id text,
    sale_no bigint,
    sale_period date,
    later boolean not null default false,
    unchanged boolean not null default false,
    reason text
);

comment on column loyalty.import_transactions.month is 'of occurred_at in the programme''s zone; the period may be a later one';

-- Refunds that name a sale wait here until every sale of the file is recorded.
create table loyalty.import_refunds (like loyalty.import_transactions including defaults);

create table loyalty.import_members (
    line bigint not null,
    customer_id text,
    email text, phone text, first_name text, last_name text,
    birthday date,
    joined_on date,
    time_zone text,
    language text,
    email_consent boolean,
    sms_consent boolean,
    later boolean not null default false,
    unchanged boolean not null default false,
    reason text
);

create table loyalty.import_rates (
    line bigint not null,
    day date,
    currency text,
    rate numeric,
    later boolean not null default false,
    unchanged boolean not null default false,
    reason text
);

create table loyalty.import_rejects (
    line bigint not null,
    reason text not null
);

-- Makes this session's own tables for an import of that kind (transactions, members or rates), with room for so
-- many columns of the file that the product doesn't know. Again: an error, a session imports once.
create function loyalty.open_import(kind text, ignored integer) returns void language plpgsql as $$
declare
    raw_table constant text := 'import_' || kind || '_raw';
    shape text;
begin
    create temp sequence import_line;
    foreach shape in array array[raw_table, 'import_' || kind, 'import_refunds', 'import_rejects'] loop
        execute format('create temp table %1$I (like loyalty.%1$I including defaults)', shape);
    end loop;
    execute format('alter table pg_temp.%I alter column line set default nextval(''pg_temp.import_line'')', raw_table);
    for number in 1 .. ignored loop
        execute format('alter table pg_temp.%I add column %I text', raw_table, 'ignored_' || number);
    end loop;
end $$;

-- The line of the file that the next row copied in stands on.
create function loyalty.number_import_lines(first_line bigint) returns void language plpgsql as $$
begin
    perform setval('pg_temp.import_line', first_line, false);
end $$;

-- Whether a text is an ISO 8601 date, or date and time, that PostgreSQL then reads without an error. Collation C makes
-- the regular expression cheaper.
create function loyalty.is_iso_date(word text) returns boolean language sql immutable parallel safe as $$
    select word collate "C" ~ (
        '^(?:[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)'
        '|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)-02-29)$'
    )
$$;

create function loyalty.is_iso_instant(word text) returns boolean language sql immutable parallel safe as $$
    select word collate "C" ~ (
        '^(?:[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)'
        '|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)-02-29)'
        '(?:[Tt ](?:(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?)?|24:00(?::00(?:\.0{1,9})?)?)'
        '(?:[Zz]|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)?)?$'
    )
$$;

-- How much room is left once refunds are taken in turn, each only if it fits. Over a window, in the order of taking.
create function loyalty.take_if_it_fits(room_left bigint, amount bigint, room bigint) returns bigint
language sql immutable parallel safe as $$
    select coalesce(room_left, room) - case when amount <= coalesce(room_left, room) then amount else 0 end
$$;

create aggregate loyalty.room_left(amount bigint, room bigint) (
    sfunc = loyalty.take_if_it_fits, stype = bigint, parallel = safe
);
-- The books. Points move only as entries; lots, uses and debts say which points they were.

create type loyalty.entry_kind as enum (
    'earn', 'take_back', 'expire', 'expiry_reversed', 'write_off', 'redeem', 'undo', 'adjust', 'bonus', 'merge',
    'forfeit', 'correction'
);

-- cause tells entries of one member, period and kind apart: the sale's period (as yyyymm) of a take-back, the lot of an
-- expiry, 0 where there is one at most. With it the key never holds an amount, a run or a clock. The entry's number comes from its
-- sequence alone: an index on it would promise nothing that the sequence doesn't, and cost each close a second.
create table loyalty.entries (
    entry_id bigint generated always as identity,
    period date not null,
    member_no bigint not null,
    kind loyalty.entry_kind not null,
    cause bigint not null default 0,
    points bigint not null check (points <> 0),
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    reference text,
    reason text,
    constraint entries_once primary key (period, member_no, kind, cause)
);

-- A credit is a lot, named by its entry. points = remaining + what debits used + expired.
create table loyalty.lots (
    lot_no bigint not null,
    member_no bigint not null,
    period date not null,
    points bigint not null check (points > 0),
    remaining bigint not null check (remaining between 0 and points),
    expired bigint not null default 0 check (expired between 0 and points),
    available_at timestamptz not null,
    expires_at timestamptz,
    origin_lot_no bigint,
    primary key (member_no, lot_no)
);

create index lots_live on loyalty.lots (member_no, expires_at) where remaining > 0;

-- Which points a debit used: as much as it is undone by.
create table loyalty.lot_uses (
    member_no bigint not null,
    lot_no bigint not null,
    entry_id bigint not null,
    points bigint not null check (points > 0),
    primary key (member_no, entry_id, lot_no)
);

-- What a debit could not take because nothing was left: the next credits pay it, the oldest debit first.
create table loyalty.debts (
    member_no bigint not null,
    entry_id bigint not null,
    owed bigint not null check (owed > 0),
    primary key (member_no, entry_id)
);

create function loyalty.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'loyalty.% is append-only: % is refused', tg_table_name, lower(tg_op) using errcode = 'LY001';
end $$;

create trigger entries_append_only before update or delete on loyalty.entries
for each statement execute function loyalty.refuse_change();
create trigger entries_no_truncate before truncate on loyalty.entries
for each statement execute function loyalty.refuse_change();
-- Where a member stood, who asked for a move, who decided it, and what it brought.

create table loyalty.tier_history (
    member_no bigint not null,
    effective_at timestamptz not null,
    from_tier_no smallint not null,
    tier_no smallint not null,
    period date not null,
    upward boolean not null,
    review_no bigint,
    rules_version integer not null,
    recorded_at timestamptz not null,
    primary key (member_no, effective_at)
);

comment on column loyalty.tier_history.period is 'the period whose close made or proposed the move';

create index tier_moves_at on loyalty.tier_history (effective_at, member_no);

-- A held upgrade. period is that of the close that asked; the newest review of a member and tier speaks for it.
create table loyalty.reviews (
    review_no bigint generated always as identity primary key,
    member_no bigint not null,
    tier_no smallint not null,
    from_tier_no smallint not null,
    period date not null,
    qualifying_points bigint not null,
    spend bigint not null,
    state text not null default 'open' check (state in ('open', 'approved', 'rejected', 'lapsed')),
    asked_by text not null default 'system',
    asked_at timestamptz not null,
    due_at timestamptz not null,
    escalated_at timestamptz,
    decided_by text,
    decided_at timestamptz,
    effective_at timestamptz,
    note text,
    check ((state = 'open') = (decided_at is null)),
    check (decided_by is null or decided_by <> asked_by or asked_by = 'system')
);

create unique index reviews_one_open on loyalty.reviews (member_no, tier_no) where state = 'open';
create unique index reviews_once on loyalty.reviews (member_no, tier_no, period);
-- Vouchers and gifts.

-- Every code ever given out and whose it is, so that none comes twice; it outlives the voucher, and leads from a code to it.
create table loyalty.voucher_codes (
    code text primary key check (length(code) = 13),
    member_no bigint not null
);

create table loyalty.vouchers (
    code text not null,
    member_no bigint not null,
    tier_no smallint not null,
    from_tier_no smallint not null,
    amount bigint not null check (amount > 0),
    currency text not null,
    state text not null default 'issued' check (state in ('issued', 'held', 'redeemed', 'expired', 'void')),
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    period date not null,
    primary key (member_no, tier_no, issued_at)
);

comment on column loyalty.vouchers.amount is 'minor units of currency';
comment on column loyalty.vouchers.from_tier_no is 'the tier held until the move that brought it';

create table loyalty.voucher_archive (
    code text primary key,
    member_no bigint not null,
    tier_no smallint not null,
    from_tier_no smallint not null,
    amount bigint not null,
    currency text not null,
    state text not null,
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    period date not null,
    archived_at timestamptz not null
);

create index archived_vouchers_of_member on loyalty.voucher_archive (member_no);

-- The warehouse's work: one task for a gift that an upgrade brought.
create table loyalty.gift_dispatches (
    member_no bigint not null,
    tier_no smallint not null,
    earned_at timestamptz not null,
    period date not null,
    gift text not null,
    state text not null default 'open' check (state in ('open', 'picked', 'shipped', 'delivered', 'cancelled')),
    reason text,
    asked_at timestamptz not null,
    changed_at timestamptz not null,
    primary key (member_no, tier_no, earned_at)
);

-- What upgrades brought, the memory that keeps the same tier from paying again too soon: vouchers, wherever they are now, and gifts.
create view loyalty.rewards as
select v.member_no, v.tier_no, v.issued_at as earned_at, v.period from loyalty.vouchers as v
union all
select a.member_no, a.tier_no, a.issued_at, a.period from loyalty.voucher_archive as a
union all
select g.member_no, g.tier_no, g.earned_at, g.period from loyalty.gift_dispatches as g;
-- Messages, written in the transaction of what they tell of.

create type loyalty.message_kind as enum (
    'points_credited', 'tier_upgrade', 'tier_at_risk', 'tier_changed_down', 'voucher_issued', 'voucher_expiring',
    'points_expiring'
);

-- facts: what the message says beside what the member's rows say; never personal data. Null where the books keep it for good:
-- of points_credited in the statement, of tier_upgrade in the history; loyalty.message_facts reads it there.
-- occasion makes a message one of its kind for a member: a period, a code, a lot's expiry.
create table loyalty.outbox (
    message_no bigint generated always as identity,
    kind loyalty.message_kind not null,
    occasion text not null,
    member_no bigint not null,
    channel text not null check (channel in ('email', 'sms')),
    facts jsonb,
    state text not null default 'queued' check (state in ('queued', 'sent', 'withheld', 'failed')),
    reason text,
    queued_at timestamptz not null,
    not_before timestamptz,
    tries smallint not null default 0,
    finished_at timestamptz,
    constraint outbox_once primary key (kind, occasion, member_no)
);

create index outbox_queued on loyalty.outbox (message_no) where state = 'queued';
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

-- A run owns one partition of each working table. The partitions are unlogged and dropped with the run: a crash of the
-- server empties them together with work_marks, and the steps that follow notice that the mark is missing.
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
    exact_window numeric [] not null,
    primary key (run_no, member_no)
) partition by list (run_no);

-- A member's transactions of one sale's period and one rate stand in one row: what they earn is linear, so nothing is lost by it.
create table loyalty.work_transactions (
    run_no bigint not null,
    member_no bigint not null,
    sale_period date not null,
    unnamed boolean not null,
    points_per_unit numeric not null,
    transactions integer not null,
    eligible bigint not null
) partition by list (run_no);

create table loyalty.work_spend (
    run_no bigint not null,
    member_no bigint not null,
    transactions integer not null,
    spend bigint not null,
    primary key (run_no, member_no)
) partition by list (run_no);

-- unnamed is the part of exact from refunds that name no sale. sale_period is the period itself for its own net, an earlier one for a take-back. rank orders a member's postings.
create table loyalty.work_points (
    run_no bigint not null,
    member_no bigint not null,
    sale_period date not null,
    rank smallint not null,
    exact numeric not null,
    unnamed numeric not null,
    points bigint not null,
    primary key (run_no, member_no, sale_period)
) partition by list (run_no);

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
    exact_unnamed numeric not null,
    primary key (run_no, member_no)
) partition by list (run_no);

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
-- The rules as SQL reads them. The monthly run, reviews and real time all rate through these views; no rule is written twice.

-- Half-even rounding of an exact quotient of two whole numbers.
create function loyalty.half_even(numerator numeric, denominator numeric) returns bigint
language sql immutable parallel safe as $$
    select (
        div(2 * numerator + denominator, 2 * denominator)
        - case
            when mod(2 * numerator + denominator, 2 * denominator) = 0
                and mod(div(2 * numerator + denominator, 2 * denominator), 2) <> 0 then 1
            else 0
        end
    )::bigint
$$;

-- Half-even rounding of a decimal.
create function loyalty.half_even(amount numeric) returns bigint
language sql immutable parallel safe as $$
    select (case when abs(amount - trunc(amount)) = 0.5 then 2 * round(amount / 2) else round(amount) end)::bigint
$$;

-- The first instant of a month, in the programme's zone.
create function loyalty.period_start(period date) returns timestamptz
language sql stable parallel safe as $$
    select loyalty.day_start(period)
$$;

-- The month of an instant, in the programme's zone.
create function loyalty.period_of(instant timestamptz) returns date
language sql stable parallel safe as $$
    select date_trunc('month', instant at time zone p.time_zone)::date from loyalty.programme as p
$$;

-- The versions that are not overruled, each with the months it rules. A simulation of candidate rules names
-- its version in the setting loyalty.candidate of its own transaction; nobody else sees it.
create view loyalty.rules_in_force as
with visible as (
    select distinct on (v.from_period) v.*
    from loyalty.rules_versions as v
    where not v.candidate or v.version = nullif(current_setting('loyalty.candidate', true), '')::integer
    order by v.from_period asc, v.candidate desc, v.version desc
)

select
    v.*,
    coalesce(lead(v.from_period) over (order by v.from_period), 'infinity') as until_period,
    coalesce(lead(v.starts_at) over (order by v.from_period), 'infinity') as ends_at
from visible as v;

-- The ladder of each version with the rungs' bounds: a member with this many qualifying points belongs on the rung.
create view loyalty.rungs as
select
    l.version,
    l.rung,
    l.tier_no,
    l.review,
    l.voucher_amount,
    l.gift,
    case when l.rung = 1 then '-9223372036854775808'::bigint else l.threshold end as from_points,
    coalesce(lead(l.threshold) over ladder, 9223372036854775807) as below_points,
    lag(l.tier_no) over ladder as tier_below
from loyalty.ladder as l
window ladder as (partition by l.version order by l.rung);

-- The same ladder as arrays by rung, for a million members: width_bucket finds the rung without a join.
create view loyalty.ladders as
select
    l.version,
    array_agg(l.tier_no order by l.rung) as tiers,
    array_agg(l.threshold order by l.rung) as thresholds,
    array_agg(l.review order by l.rung) as reviews
from loyalty.ladder as l
group by l.version;

-- What of a transaction counts (semantics 3), in its own currency: the amount less the pieces that the rules of its day leave out;
-- and what those rules give for one minor unit of the programme's currency, before the multiplier.
create view loyalty.counted_amounts as
select
    t.*,
    t.amount
    - case when r.earn_on_tax then 0 else coalesce(t.tax, 0) end
    - case when r.earn_on_shipping then 0 else coalesce(t.shipping, 0) end
    - case when r.earn_on_tip then 0 else coalesce(t.tip, 0) end
    - case when r.earn_on_fee then 0 else coalesce(t.fee, 0) end
    - case when r.earn_on_gift_card then 0 else coalesce(t.gift_card, 0) end
    - case when r.earn_on_paid_with_points then 0 else coalesce(t.paid_with_points, 0) end as counted,
    r.version,
    r.rate * ('1e-' || r.minor_digits)::numeric as rate_per_unit
from loyalty.transactions as t
inner join loyalty.rules_in_force as r on r.starts_at <= t.occurred_at and t.occurred_at < r.ends_at;

-- The eligible amount of each transaction, signed, with the moment and period of the sale that decide its rate.
-- A refund takes the difference of its sale's refunded share, in the order of booking, so that any split of a refund ends alike.
-- One booked to a month before its sale's (tills' clocks differ) is that month's own: a close takes back only what was posted.
create view loyalty.eligible_transactions as
select
    t.member_no,
    t.transaction_no,
    t.booked_period,
    t.booked_period as sale_period,
    t.occurred_at,
    t.occurred_at as rated_at,
    t.version,
    t.rate_per_unit,
    t.kind = 'refund' as unnamed,
    case when t.kind = 'sale' then 1 else -1 end
    * case when t.exchange_rate is null then t.counted else loyalty.half_even(t.counted * t.exchange_rate) end as eligible
from loyalty.counted_amounts as t
where t.sale_no is null
union all
select
    t.member_no,
    t.transaction_no,
    t.booked_period,
    least(t.sale_period, t.booked_period) as sale_period,
    t.occurred_at,
    s.occurred_at as rated_at,
    s.version,
    s.rate_per_unit,
    false as unnamed,
    coalesce(
        loyalty.half_even(e.eligible * e.refunded_before, nullif(s.amount, 0))
        - loyalty.half_even(e.eligible * (e.refunded_before + t.amount), nullif(s.amount, 0)), 0
    ) as eligible
from loyalty.transactions as t
inner join loyalty.counted_amounts as s
    on t.sale_period = s.booked_period and t.member_no = s.member_no and t.sale_no = s.transaction_no
cross join lateral (
    select
        case when s.exchange_rate is null then s.counted else loyalty.half_even(s.counted * s.exchange_rate) end::numeric as eligible,
        coalesce((
            select sum(o.amount) from loyalty.transactions as o
            where o.sale_no = t.sale_no and (o.booked_period, o.transaction_no) < (t.booked_period, t.transaction_no)
        ), 0) as refunded_before
) as e
where t.sale_no is not null;

-- Each transaction with the rate and multiplier of its moment (semantics 2): the tier is the one then held. Most members
-- have held theirs since before; the others' history is asked. A tier that those rules did not know multiplies by 1.
create view loyalty.rated_transactions as
select
    t.member_no,
    t.transaction_no,
    t.booked_period,
    t.sale_period,
    t.unnamed,
    t.occurred_at,
    t.eligible,
    t.rate_per_unit * coalesce(l.multiplier, 1) as points_per_unit
from loyalty.eligible_transactions as t
inner join loyalty.accounts as a on t.member_no = a.member_no
left join loyalty.ladder as l
    on t.version = l.version
    and l.tier_no = case
        when a.tier_since <= t.rated_at then a.tier_no
        else (
            select h.from_tier_no from loyalty.tier_history as h
            where h.member_no = t.member_no and h.effective_at > t.rated_at
            order by h.effective_at limit 1
        )
    end;
-- Functions: months opened, working tables made and dropped, codes made, messages' facts read.

-- Makes a month, and its partition of statements, known. Again: does nothing.
create function loyalty.ensure_period(wanted date) returns void language plpgsql as $$
begin
    insert into loyalty.periods (period, starts_at, ends_at)
    values (
        wanted, loyalty.period_start(wanted), loyalty.period_start((wanted + interval '1 month')::date)
    )
    on conflict do nothing;
end $$;

-- The partition of a period's statements. Again: does nothing.
create function loyalty.ensure_statements(wanted date) returns void language plpgsql as $$
begin
    execute format(
        'create table if not exists loyalty.%I partition of loyalty.statements for values from (%L) to (%L)',
        'statements_' || to_char(wanted, 'YYYY_MM'), wanted, (wanted + interval '1 month')::date
    );
end $$;

-- A run's own unlogged partitions of the working tables. Made first and attached then: that, unlike `partition of`, waits for
-- nobody who works on another run, and nobody waits for it.
create function loyalty.make_working_tables(run_no bigint) returns void language plpgsql as $$
declare
    work_table text;
begin
    foreach work_table in array array['profiles', 'transactions', 'spend', 'points', 'tiers', 'marks'] loop
        execute format(
            'create unlogged table loyalty.%I (like loyalty.%I including all)',
            'work_' || work_table || '_' || run_no, 'work_' || work_table
        );
        execute format(
            'alter table loyalty.%I attach partition loyalty.%I for values in (%L)',
            'work_' || work_table, 'work_' || work_table || '_' || run_no, run_no
        );
    end loop;
end $$;

-- Drops a run's partitions and the run. That takes the working tables for a moment from everybody: where another run is at
-- work on them, it does nothing, and who clears dead runs away comes back to it. Again: does nothing.
create function loyalty.drop_run(ended bigint) returns void language plpgsql as $$
declare
    work_table text;
    patience constant text := current_setting('lock_timeout');
begin
    foreach work_table in array array['profiles', 'transactions', 'spend', 'points', 'tiers', 'marks'] loop
        if to_regclass('loyalty.work_' || work_table || '_' || ended) is not null then
            -- nobody but autovacuum is there, and it gives way
            execute format('lock table loyalty.%I in access exclusive mode', 'work_' || work_table || '_' || ended);
        end if;
    end loop;
    perform set_config('lock_timeout', '200ms', true);
    lock table only loyalty.work_profiles, only loyalty.work_transactions, only loyalty.work_spend,
        only loyalty.work_points, only loyalty.work_tiers, only loyalty.work_marks in access exclusive mode;
    perform set_config('lock_timeout', patience, true);
    foreach work_table in array array['profiles', 'transactions', 'spend', 'points', 'tiers', 'marks'] loop
        execute format('drop table if exists loyalty.%I', 'work_' || work_table || '_' || ended);
    end loop;
    delete from loyalty.runs as r where r.run_no = ended;
exception
    when lock_not_available then return;
end $$;

-- A voucher code of six random bytes: 12 symbols, and a check symbol: their values times their places, summed modulo 23, which
-- finds any one wrong symbol and any two neighbours swapped. The alphabet, 0123456789CFHJKMNPRTVWX, has no vowels and no
-- look-alikes; the drawn symbols are its first sixteen. One expression, so that the planner puts it in place.
create function loyalty.voucher_code(drawn bytea) returns text language sql immutable parallel safe as $$
    select translate(encode(substr(drawn, 1, 6), 'hex'), 'abcdef', 'CFHJKM') || substr(
        '0123456789CFHJKMNPRTVWX',
        (
            (get_byte(drawn, 0) >> 4) + (get_byte(drawn, 0) & 15) * 2
            + (get_byte(drawn, 1) >> 4) * 3 + (get_byte(drawn, 1) & 15) * 4
            + (get_byte(drawn, 2) >> 4) * 5 + (get_byte(drawn, 2) & 15) * 6
            + (get_byte(drawn, 3) >> 4) * 7 + (get_byte(drawn, 3) & 15) * 8
            + (get_byte(drawn, 4) >> 4) * 9 + (get_byte(drawn, 4) & 15) * 10
            + (get_byte(drawn, 5) >> 4) * 11 + (get_byte(drawn, 5) & 15) * 12
        ) % 23 + 1,
        1
    )
$$;

-- An instant as the occasion of a message.
create function loyalty.occasion_of(instant timestamptz) returns text language sql stable parallel safe as $$
    select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- What a message of the outbox says whose facts the books keep. The occasion of points_credited is its period (yyyy-mm), that of
-- tier_upgrade the instant of the move.
create function loyalty.message_facts(kind loyalty.message_kind, occasion text, member_no bigint) returns jsonb
language sql stable parallel safe as $$
    select case kind
        when 'points_credited' then (
            select jsonb_build_object('period', occasion, 'points', s.points_earned, 'balance', s.closing_balance)
            from loyalty.statements as s
            where s.period = (occasion || '-01')::date and s.member_no = message_facts.member_no
        )
        when 'tier_upgrade' then (
            select jsonb_build_object(
                'tier', t.name, 'from', f.name, 'period', to_char(h.period, 'YYYY-MM'), 'voucher', v.code, 'gift', g.gift
            )
            from loyalty.tier_history as h
            inner join loyalty.tiers as t on h.tier_no = t.tier_no
            inner join loyalty.tiers as f on h.from_tier_no = f.tier_no
            left join loyalty.vouchers as v
                on h.member_no = v.member_no and h.tier_no = v.tier_no and h.effective_at = v.issued_at
            left join loyalty.gift_dispatches as g
                on h.member_no = g.member_no and h.tier_no = g.tier_no and h.effective_at = g.earned_at
            where h.member_no = message_facts.member_no and h.effective_at = occasion::timestamptz
        )
    end
$$;
