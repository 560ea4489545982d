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
    receipts boolean not null,
    redemption_minimum bigint not null,
    redemption_step bigint not null,
    redemption_day_max bigint,
    point_value numeric not null,
    hold_minutes integer not null,
    adjust_alone_max bigint not null,
    enrolment text not null check (enrolment in ('first_purchase', 'registration')),
    claim_days integer not null check (claim_days >= 0)
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
-- Who takes part. Personal data lives here, in the identifiers made of it, and nowhere else.

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
    erased_at timestamptz,
    merged_into bigint
);

comment on column loyalty.members.merged_into is 'the member that this one is merged into: whatever comes under this customer_id is that member''s';

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
-- What a member's fields may hold: one rule for files and for the API. Each function gives null for null.

create function loyalty.is_email(word text) returns boolean language sql immutable parallel safe as $$
    select word ~ '^[^@[:space:]",;:<>()]+@[^@[:space:]",;:<>().]+([.][^@[:space:]",;:<>().]+)+$'
$$;

create function loyalty.is_phone(word text) returns boolean language sql immutable parallel safe as $$
    select word ~ '^[+]?[0-9 ()./-]+$' and length(translate(word, '+ ()./-', '')) between 5 and 15
$$;

create function loyalty.is_language(word text) returns boolean language sql immutable parallel safe as $$
    select word ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$'
$$;
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
-- A refund that names its sale keeps the sale's place, found when it was recorded. A row that is corrected stays, a reversal with
-- the same words takes it back, and its replacement has the id from then on (corrections).
create table loyalty.transactions (
    booked_period date not null,
    member_no bigint not null,
    transaction_no bigint generated always as identity,
    source_no smallint not null,
    transaction_id text not null,
    kind text not null check (kind in ('sale', 'refund', 'sale_reversal', 'refund_reversal')),
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    amount bigint not null check (amount >= 0),
    currency text not null,
    exchange_rate numeric,
    tax bigint, shipping bigint, tip bigint, fee bigint, gift_card bigint, paid_with_points bigint, discount bigint,
    channel text, location text,
    sale_no bigint,
    sale_period date,
    merged_multiplier numeric,
    primary key (booked_period, member_no, transaction_no)
);

comment on column loyalty.transactions.exchange_rate is 'the programme''s minor units for one minor unit, at the rate of the sale''s day';

comment on column loyalty.transactions.sale_period is
'the period that a named sale is booked to; without one, the earlier period whose points a reversal or a replacement is about';

comment on column loyalty.transactions.merged_multiplier is
'of a row that a merge has moved: the multiplier of the tier that the member held under whom it was recorded';

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
    corrected_no bigint,
    corrected_period date,
    corrected_member_no bigint,
    reversal_no bigint,
    carried boolean not null default false,
    reason text
);

comment on column loyalty.import_transactions.corrected_no is 'the recorded row of the same id that this one is to replace';
comment on column loyalty.import_transactions.carried is 'not a row of the file: a recorded refund that its corrected sale takes along';
comment on column loyalty.import_transactions.currency is
'null of a refund until it has its sale''s, its amounts then in ten-thousandths of the major unit';
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
    phone_number text,
    later boolean not null default false,
    unchanged boolean not null default false,
    reason text
);

comment on column loyalty.import_members.phone_number is 'phone as E.164, where it isn''t written so: the product fills it in';

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
    'forfeit', 'correction', 'registration', 'profile', 'referral', 'share', 'check_in', 'birthday', 'anniversary', 'visits',
    'campaign'
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
) partition by range (member_no);

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
) partition by range (member_no);

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
) partition by range (member_no);

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
) partition by range (member_no);

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

-- The kept member of a merge remembers what upgrades had brought the lost one, and what that one remembered; undone, it forgets.
create table loyalty.merged_rewards (
    member_no bigint not null,
    tier_no smallint not null,
    earned_at timestamptz not null,
    merge_no bigint not null,
    forgotten_at timestamptz,
    primary key (member_no, tier_no, earned_at, merge_no)
);

-- What upgrades brought (a campaign's voucher has minus its number for a tier), the memory that keeps the same tier from paying again too soon: vouchers, wherever they are now, gifts, and those of a merge.
create view loyalty.rewards as
select v.member_no, v.tier_no, v.issued_at as earned_at, null::bigint as merge_no from loyalty.vouchers as v where v.tier_no > 0
union all
select a.member_no, a.tier_no, a.issued_at, null from loyalty.voucher_archive as a where a.tier_no > 0
union all
select g.member_no, g.tier_no, g.earned_at, null from loyalty.gift_dispatches as g
union all
select m.member_no, m.tier_no, m.earned_at, m.merge_no from loyalty.merged_rewards as m where m.forgotten_at is null;
-- Messages, written in the transaction of what they tell of.

create type loyalty.message_kind as enum (
    'points_credited', 'tier_upgrade', 'tier_at_risk', 'tier_changed_down', 'voucher_issued', 'voucher_expiring',
    'points_expiring', 'welcome', 'birthday', 'bonus_credited', 'personal_offer', 'redemption_receipt', 'refund_taken_back'
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
    state text not null default 'queued' check (state in ('queued', 'sending', 'unknown', 'sent', 'withheld', 'failed')),
    reason text,
    queued_at timestamptz not null,
    not_before timestamptz,
    tries smallint not null default 0,
    finished_at timestamptz,
    constraint outbox_once primary key (kind, occasion, member_no)
) partition by range (member_no);

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
-- What a person must decide: a batch of held upgrades, new rules, a correction of closed months. The batch is frozen here; the
-- Prefect run that asks for the decision is only its form, and may be lost and made again.

create table loyalty.approvals (
    approval_no bigint generated always as identity primary key,
    kind text not null check (kind in ('tier_upgrades', 'rules', 'recompute', 'adjustment', 'campaign')),
    occasion text not null check (length(occasion) between 1 and 200),
    period date check (extract(day from period) = 1),
    asked_by text not null,
    asked_at timestamptz not null,
    due_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'approved', 'rejected', 'lapsed')),
    decided_by text,
    decided_at timestamptz,
    note text check (length(note) <= 500),
    told text,
    escalated_at timestamptz,
    answers_refused integer not null default 0,
    last_refusal text,
    salt uuid not null default gen_random_uuid(),
    code_hash text,
    codes_sent integer not null default 0,
    code_failures integer not null default 0,
    constraint approvals_once unique (kind, occasion),
    constraint approvals_open_or_decided check (
        (state = 'open') = (decided_at is null) and (state = 'open') = (decided_by is null)
    ),
    constraint approvals_need_two_people check (asked_by = 'system' or lower(decided_by) <> lower(asked_by))
);

comment on column loyalty.approvals.occasion is 'what is asked, once for its kind: "2017-12 Gold 1", the digest of a proposal';
comment on column loyalty.approvals.told is 'what came of the decision, in a line';
comment on column loyalty.approvals.answers_refused is 'answers of the form that could not be taken; last_refusal says why the last one';
comment on column loyalty.approvals.salt is 'makes the names of its Prefect runs unique on any server, and salts the code';
comment on column loyalty.approvals.code_hash is 'of the one-time code that managers were sent and nobody has typed yet';

create index approvals_open on loyalty.approvals (approval_no) where state = 'open';

-- The Prefect runs that asked for a decision, one after the other: the newest one holds it.
create table loyalty.approval_runs (
    approval_no bigint not null references loyalty.approvals,
    attempt integer not null check (attempt >= 1),
    flow_run_id uuid not null,
    ended boolean not null default false,
    primary key (approval_no, attempt)
);

create index approval_runs_not_ended on loyalty.approval_runs (approval_no) where not ended;

alter table loyalty.reviews add column approval_no bigint references loyalty.approvals;

comment on column loyalty.reviews.approval_no is 'the batch in which managers are asked; null until it is made, and where no manager was asked';

create index reviews_of_approval on loyalty.reviews (approval_no, member_no) where approval_no is not null;
create index reviews_unasked on loyalty.reviews (period, tier_no, member_no) where state = 'open' and approval_no is null;

-- Messages to the managers about approvals; what they say is read when they are sent. Never about a member by name.
create table loyalty.staff_messages (
    message_no bigint generated always as identity primary key,
    kind text not null check (kind in ('review_waiting', 'review_reminder', 'review_overdue', 'review_code')),
    occasion text not null,
    approval_no bigint not null references loyalty.approvals,
    state text not null default 'queued' check (state in ('queued', 'sent', 'withheld')),
    reason text,
    queued_at timestamptz not null,
    finished_at timestamptz,
    constraint staff_messages_once unique (kind, occasion)
);

create index staff_messages_queued on loyalty.staff_messages (message_no) where state = 'queued';
-- Changes of the rules that were asked for: the text, what it would replace, and what a simulated month says of the difference.
-- A proposal is known by its content: the same text in place of the same version from the same month is the same proposal, and
-- another attempt of it only if the one before was rejected or lapsed.
create table loyalty.rules_changes (
    change_no bigint generated always as identity primary key,
    from_period date not null check (extract(day from from_period) = 1),
    base_version integer not null references loyalty.rules_versions,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    attempt integer not null check (attempt >= 1),
    document text not null,
    note text not null check (length(note) <= 500),
    asked_by text not null,
    asked_at timestamptz not null,
    figures jsonb not null,
    approval_no bigint unique references loyalty.approvals,
    version integer references loyalty.rules_versions,
    constraint rules_changes_once unique (from_period, base_version, digest, attempt)
);

comment on column loyalty.rules_changes.base_version is 'the version that rules from_period as the proposal is made';
comment on column loyalty.rules_changes.digest is 'sha256 of the document, in hexadecimal digits';
comment on column loyalty.rules_changes.figures is 'the simulated month under both rules, as it was when the proposal was made';
comment on column loyalty.rules_changes.approval_no is 'null: the rules let one person change them';
comment on column loyalty.rules_changes.version is 'the version that it became; null while it is not applied';
-- Rows that were wrong, and closed months computed anew.

-- A row is corrected once: its replacement may be corrected again. The reversal stands in the corrected row's member, the
-- replacement may be another's. All three have the same source and id; the key of that id is the replacement's.
create table loyalty.corrections (
    corrected_no bigint primary key,
    corrected_period date not null,
    member_no bigint not null,
    reversal_no bigint not null unique,
    replacement_no bigint not null unique,
    replacement_period date not null,
    replacement_member_no bigint not null,
    carried boolean not null,
    recorded_at timestamptz not null
);

comment on column loyalty.corrections.carried is 'a refund that its corrected sale took along, itself unchanged';

-- Closed months as they would be, had every row been known in its own: asked for, shown, decided, posted once.
create table loyalty.recomputes (
    recompute_no bigint generated always as identity primary key,
    first_period date not null check (extract(day from first_period) = 1),
    last_period date not null check (extract(day from last_period) = 1),
    asked_by text not null,
    asked_at timestamptz not null,
    approval_no bigint unique references loyalty.approvals,
    posted_period date,
    posted_at timestamptz,
    check (first_period <= last_period),
    check ((posted_at is null) = (posted_period is null))
);

comment on column loyalty.recomputes.approval_no is 'null while it is computed; one that dies so is cleared away by the next';

-- One row for each member whose months are not as they would be, and each month from the first such one on. points is the
-- difference: what the rows of the month would have earned, less what they earned wherever they are booked, less what earlier
-- recomputes posted of the month. The state from held_until on is that in which the computed month leaves the member.
create table loyalty.recomputed_members (
    recompute_no bigint not null references loyalty.recomputes on delete cascade,
    period date not null,
    member_no bigint not null,
    points_due bigint not null,
    points_had bigint not null,
    points_before bigint not null,
    points bigint generated always as (points_due - points_had - points_before) stored,
    revision integer check (revision between 1 and 9999),
    qualifying_points bigint not null,
    tier_had smallint not null,
    tier_due smallint not null,
    held_until date,
    exact_had numeric not null,
    exact_sum numeric not null,
    exact_before_window numeric not null,
    exact_unnamed numeric not null,
    exact_window numeric [] not null,
    primary key (recompute_no, period, member_no)
);

comment on column loyalty.recomputed_members.revision is 'of the month, counted over all that was posted of it; null until posted';
comment on column loyalty.recomputed_members.tier_had is 'the tier really held as the month was left';
comment on column loyalty.recomputed_members.exact_had is 'the running exact sum of the same rows as they were really rated';

create unique index recomputed_once on loyalty.recomputed_members (period, member_no, revision) where revision is not null;

-- Whom a recompute is about: the members with a row that came late or was corrected, each from the month after the last statement
-- that no such row could change. And their rows, each in its own month. Both go when the recompute is computed.
create unlogged table loyalty.recompute_scope (
    recompute_no bigint not null,
    member_no bigint not null,
    from_period date not null,
    primary key (recompute_no, member_no)
);

create unlogged table loyalty.recompute_rows (
    recompute_no bigint not null,
    member_no bigint not null,
    due_period date not null,
    sale_period date not null,
    unnamed boolean not null,
    rated_at timestamptz not null,
    rated_in date not null,
    version integer not null,
    rate_per_unit numeric not null,
    eligible bigint not null,
    had_per_unit numeric not null,
    due_per_unit numeric,
    available_at timestamptz
);

create index recompute_rows_by_month on loyalty.recompute_rows (recompute_no, due_period, member_no);

comment on column loyalty.recompute_rows.due_period is 'the month of occurred_at, or the first closed one';
comment on column loyalty.recompute_rows.rated_in is 'the month of the sale''s day, whose tier multiplies';
comment on column loyalty.recompute_rows.available_at is 'of a sale that real time posted, and its refunds: loyalty.live_available_at';
comment on column loyalty.recompute_rows.due_per_unit is 'points for one minor unit by the tier that would have been held; null until that month is computed';

-- What a recompute posts stands in the working tables of a run that is no run: number 0, emptied in the same transaction.
create table loyalty.work_profiles_recompute partition of loyalty.work_profiles for values from (0, minvalue) to (0, maxvalue);
create table loyalty.work_points_recompute partition of loyalty.work_points for values from (0, minvalue) to (0, maxvalue);
alter table loyalty.work_profiles_recompute add primary key (member_no);
alter table loyalty.work_points_recompute add primary key (member_no, sale_period);
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
    select distinct on (v.from_period)
        v.*,
        -- points for one minor unit of the programme's currency, before the multiplier
        v.rate * ('1e-' || v.minor_digits)::numeric as rate_per_unit
    from loyalty.rules_versions as v
    where not v.candidate or v.version = nullif(current_setting('loyalty.candidate', true), '')::integer
    order by v.from_period asc, v.candidate desc, v.version desc
)

select
    v.*,
    coalesce(lead(v.from_period) over (order by v.from_period), 'infinity') as until_period,
    coalesce(lead(v.starts_at) over (order by v.from_period), 'infinity') as ends_at,
    -- with the multiplier, of the tiers by their numbers, null where these rules do not know one: millions of rows are rated without a join
    array(
        select v.rate_per_unit * l.multiplier
        from generate_series(1, (select max(t.tier_no) from loyalty.tiers as t)) as n (tier_no)
        left join loyalty.ladder as l on l.version = v.version and n.tier_no = l.tier_no
        order by n.tier_no
    ) as rates_per_unit
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
    r.rate_per_unit,
    r.rates_per_unit
from loyalty.transactions as t
inner join loyalty.rules_in_force as r on r.starts_at <= t.occurred_at and t.occurred_at < r.ends_at;

-- The eligible amount of each transaction, signed, with the moment and period of the sale that decide its rate.
-- A refund takes the difference of its sale's refunded share, in the order of booking, so that any split of a refund ends alike.
-- One booked to a month before its sale's (tills' clocks differ) is that month's own: a close takes back only what was posted. It is
-- rated by the tier held when that month ended, since the close can't know what the sale's own moment will bring.
-- A reversal repeats the words of the row it takes back, so it comes to the same with the other sign; that of a refund of a sale is
-- a refund of so much less.
create view loyalty.eligible_transactions as
select
    t.member_no,
    t.transaction_no,
    t.booked_period,
    coalesce(t.sale_period, t.booked_period) as sale_period,
    t.occurred_at,
    t.occurred_at as rated_at,
    t.version,
    t.rate_per_unit,
    t.rates_per_unit,
    t.kind in ('refund', 'refund_reversal') as unnamed,
    t.merged_multiplier,
    case when t.kind in ('sale', 'refund_reversal') then 1 else -1 end
    * case when t.exchange_rate is null then t.counted else loyalty.half_even(t.counted * t.exchange_rate) end as eligible,
    t.kind
from loyalty.counted_amounts as t
where t.sale_no is null
union all
select
    t.member_no,
    t.transaction_no,
    t.booked_period,
    least(coalesce(s.sale_period, s.booked_period), t.booked_period) as sale_period,
    t.occurred_at,
    case
        when s.booked_period > t.booked_period
            then least(s.occurred_at, loyalty.period_start((t.booked_period + interval '1 month')::date) - interval '1 microsecond')
        else s.occurred_at
    end as rated_at,
    s.version,
    s.rate_per_unit,
    s.rates_per_unit,
    false as unnamed,
    s.merged_multiplier,
    coalesce(
        loyalty.half_even(e.eligible * e.refunded_before, nullif(s.amount, 0))
        - loyalty.half_even(
            e.eligible * (e.refunded_before + case t.kind when 'refund' then t.amount else -t.amount end), nullif(s.amount, 0)
        ), 0
    ) as eligible,
    t.kind
from loyalty.transactions as t
inner join loyalty.counted_amounts as s
    on t.sale_period = s.booked_period and t.member_no = s.member_no and t.sale_no = s.transaction_no
cross join lateral (
    select
        case when s.exchange_rate is null then s.counted else loyalty.half_even(s.counted * s.exchange_rate) end::numeric as eligible,
        coalesce((
            select sum(case o.kind when 'refund' then o.amount else -o.amount end) from loyalty.transactions as o
            where o.sale_no = t.sale_no and (o.booked_period, o.transaction_no) < (t.booked_period, t.transaction_no)
        ), 0) as refunded_before
) as e
where t.sale_no is not null;

-- Each transaction with the rate and multiplier of its moment (semantics 2): the tier is the one then held. Most members
-- have held theirs since before; the others' history is asked. A tier that those rules did not know multiplies by 1.
create view loyalty.rated_transactions as
select
    t.member_no,
    a.member_no as account_no,
    t.transaction_no,
    t.booked_period,
    t.sale_period,
    t.unnamed,
    t.occurred_at,
    t.eligible,
    coalesce(
        t.rate_per_unit * t.merged_multiplier,
        t.rates_per_unit[case
            when a.tier_since <= t.rated_at then a.tier_no
            else (
                select h.from_tier_no from loyalty.tier_history as h
                where h.member_no = t.member_no and h.effective_at > t.rated_at
                order by h.effective_at limit 1
            )
        end],
        t.rate_per_unit
    ) as points_per_unit,
    t.rated_at,
    t.version,
    t.rate_per_unit
from loyalty.eligible_transactions as t
inner join loyalty.accounts as a on t.member_no = a.member_no;
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

-- A run's own unlogged partitions of the working tables: one of its marks, and of each other table one for each batch, named for the
-- batch's first member. Made first and attached then: that, unlike `partition of`, waits for nobody who works on another run, and
-- nobody waits for it.
create function loyalty.make_working_tables(run_no bigint, first_members bigint []) returns void language plpgsql as $$
declare
    work_table text;
    part text;
begin
    part := 'work_marks_' || run_no;
    execute format('create unlogged table loyalty.%I (like loyalty.work_marks including all)', part);
    execute format('alter table loyalty.work_marks attach partition loyalty.%I for values in (%L)', part, run_no);
    foreach work_table in array array['work_profiles', 'work_transactions', 'work_spend', 'work_points', 'work_tiers'] loop
        for batch in 1 .. cardinality(first_members) loop
            part := loyalty.working_table(work_table, run_no, first_members[batch]);
            execute format('create unlogged table loyalty.%I (like loyalty.%I including all)', part, work_table);
            execute format(
                'alter table loyalty.%I attach partition loyalty.%I for values from (%s, %s) to (%s, %s)', work_table, part,
                run_no, first_members[batch], run_no, coalesce(first_members[batch + 1]::text, 'maxvalue')
            );
        end loop;
    end loop;
end $$;

-- The name of a batch's part of a working table.
create function loyalty.working_table(work_table text, run_no bigint, first_member bigint) returns text language sql immutable as $$
    select work_table || '_' || run_no || '_' || first_member
$$;

-- The key of a batch that was just written, where its table has one. Again: it is there already.
create function loyalty.key_working_table(work_table text, run_no bigint, first_member bigint) returns void language plpgsql
set max_parallel_maintenance_workers = 0 -- the other batches have the other cores
as $$
declare
    part constant text := loyalty.working_table(work_table, run_no, first_member);
    key constant text := case work_table
        when 'work_transactions' then null
        when 'work_points' then 'member_no, sale_period'
        else 'member_no'
    end;
begin
    if key is not null then
        execute format('create unique index if not exists %I on loyalty.%I (%s)', part || '_key', part, key);
    end if;
end $$;

-- Drops a run's partitions and the run. That takes the working tables for a moment from everybody: where another run is at
-- work on them, it does nothing, and who clears dead runs away comes back to it. Again: does nothing.
create function loyalty.drop_run(ended bigint) returns void language plpgsql as $$
declare
    parts constant text[] := array(
        select c.relname from pg_class as c
        where c.relnamespace = 'loyalty'::regnamespace and c.relkind = 'r'
            and c.relname ~ format('^work_[a-z]+_%s(_[0-9]+)?$', ended)
        order by c.relname
    );
    part text;
    patience constant text := current_setting('lock_timeout');
begin
    foreach part in array parts loop
        -- nobody but autovacuum is there, and it gives way
        execute format('lock table loyalty.%I in access exclusive mode', part);
    end loop;
    perform set_config('lock_timeout', '200ms', true);
    lock table only loyalty.work_profiles, only loyalty.work_transactions, only loyalty.work_spend,
        only loyalty.work_points, only loyalty.work_tiers, only loyalty.work_marks in access exclusive mode;
    perform set_config('lock_timeout', patience, true);
    foreach part in array parts loop
        execute format('drop table if exists loyalty.%I', part);
    end loop;
    delete from loyalty.runs as r where r.run_no = ended;
exception
    when lock_not_available or undefined_table then return;
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

-- The qualifying points of a member at a close (semantics 7): of the statement of that month or, where the month had nothing to state,
-- of the newest one before it, whose window has moved on since. What was pending then has come long since.
create function loyalty.qualifying_points(of_member bigint, stated date, closed date) returns bigint
language sql stable parallel safe as $$
    select case
        when (s.period < closed) is not true then s.qualifying_points -- nothing is closed since; a close may be at work
        when v.qualify = 'period' then 0
        when v.qualify = 'lifetime' then floor(s.exact_sum) - floor(s.exact_unnamed)
        else floor(s.exact_sum) - floor(s.exact_before_window + s.exact_unnamed + coalesce((
            select sum(slot.exact) from unnest(s.exact_window) with ordinality as slot (exact, age)
            where slot.age > 12 - (
                extract(year from age(closed::timestamp, s.period)) * 12 + extract(month from age(closed::timestamp, s.period))
            )
        ), 0))
    end::bigint
    from loyalty.statements as s
    left join loyalty.closes as c on c.period = closed
    left join loyalty.rules_versions as v on c.rules_version = v.version
    where s.period = stated and s.member_no = of_member
$$;
-- What a simulated run would bring each of its members, read by the month's simulation and by the comparison of two.
-- asks: the upgrade would be held for a manager; voucher and gift are those of a move, asked_* those of an upgrade that is held.
create function loyalty.simulated_outcomes(run bigint, rules integer, month date, as_of timestamptz)
returns table (
    member_no bigint,
    transactions integer,
    spend bigint,
    points bigint,
    tier_held smallint,
    tier_after smallint,
    tier_asked smallint,
    rung_before smallint,
    rung_after smallint,
    tier_at_risk boolean,
    voucher_amount bigint,
    gift text,
    asked_voucher_amount bigint
)
language sql stable as $$
    select
        p.member_no,
        coalesce(s.transactions, 0),
        coalesce(s.spend, 0),
        coalesce(e.points, 0),
        p.tier_held,
        t.tier_after,
        -- what is open already is asked once, what was rejected lately not again
        case when not o.asked_before then t.proposed_tier end,
        coalesce(before_it.rung, 1::smallint),
        after_it.rung,
        t.tier_at_risk,
        case when after_it.rung > coalesce(before_it.rung, 1) and not o.rewarded then after_it.voucher_amount else 0 end,
        case when after_it.rung > coalesce(before_it.rung, 1) and not o.rewarded then after_it.gift else '' end,
        case when not o.asked_before and not o.asked_rewarded then coalesce(asked.voucher_amount, 0) else 0 end
    from loyalty.work_profiles as p
    inner join loyalty.rules_versions as v on v.version = rules
    cross join loyalty.programme as g
    inner join loyalty.work_tiers as t on t.run_no = run and p.member_no = t.member_no
    left join loyalty.work_spend as s on s.run_no = run and p.member_no = s.member_no
    left join (
        select w.member_no, sum(w.points)::bigint as points
        from loyalty.work_points as w where w.run_no = run group by w.member_no
    ) as e on p.member_no = e.member_no
    inner join loyalty.rungs as after_it on after_it.version = rules and t.tier_after = after_it.tier_no
    left join loyalty.rungs as before_it on before_it.version = rules and p.tier_held = before_it.tier_no
    left join loyalty.rungs as asked on asked.version = rules and t.proposed_tier = asked.tier_no
    cross join lateral (
        select
            t.tier_after <> p.tier_held and exists (
                select from loyalty.rewards as w
                where w.member_no = p.member_no and w.tier_no = t.tier_after and w.earned_at < as_of
                    and w.earned_at > as_of - make_interval(months => v.reward_again_months)
            ) as rewarded,
            t.proposed_tier is not null and exists (
                select from loyalty.rewards as w
                where w.member_no = p.member_no and w.tier_no = t.proposed_tier and w.earned_at < as_of
                    and w.earned_at > as_of - make_interval(months => v.reward_again_months)
            ) as asked_rewarded,
            t.proposed_tier is not null and exists (
                select from loyalty.reviews as w
                where w.member_no = p.member_no and w.tier_no = t.proposed_tier and w.period < month and (
                    w.state = 'open' or (
                        w.state = 'rejected'
                        and ((w.decided_at at time zone g.time_zone) + make_interval(months => v.review_again_months))
                        at time zone g.time_zone > as_of
                    )
                )
            ) as asked_before
    ) as o
    where p.run_no = run
$$;

-- Two simulated runs of one month, member by member. A tier counts where it is reached or asked for, by its place on the second
-- ladder. better, worse: in points, tier, voucher or gift; a member may be both.
create function loyalty.compared_outcomes(
    run_before bigint, rules_before integer, run_after bigint, rules_after integer, month date, as_of timestamptz
)
returns table (
    member_no bigint,
    tier_held smallint,
    points_before bigint,
    points_after bigint,
    tier_before smallint,
    tier_after smallint,
    vouchers_before bigint,
    vouchers_after bigint,
    better boolean,
    worse boolean
)
language sql stable as $$
    select
        c.member_no,
        c.tier_held,
        c.points_before,
        c.points_after,
        c.tier_before,
        c.tier_after,
        c.vouchers_before,
        c.vouchers_after,
        c.points_after > c.points_before or c.rung_after > c.rung_before
        or c.vouchers_after > c.vouchers_before or (c.gift_after and not c.gift_before),
        c.points_after < c.points_before or c.rung_after < c.rung_before
        or c.vouchers_after < c.vouchers_before or (c.gift_before and not c.gift_after)
    from (
        select
            b.member_no,
            b.tier_held,
            b.points as points_before,
            a.points as points_after,
            coalesce(b.tier_asked, b.tier_after) as tier_before,
            coalesce(a.tier_asked, a.tier_after) as tier_after,
            coalesce(was.rung, b.rung_after) as rung_before,
            coalesce(becomes.rung, a.rung_after) as rung_after,
            b.voucher_amount + b.asked_voucher_amount as vouchers_before,
            a.voucher_amount + a.asked_voucher_amount as vouchers_after,
            b.gift <> '' as gift_before,
            a.gift <> '' as gift_after
        from loyalty.simulated_outcomes(run_before, rules_before, month, as_of) as b
        inner join loyalty.simulated_outcomes(run_after, rules_after, month, as_of) as a on b.member_no = a.member_no
        left join loyalty.rungs as was
            on was.version = rules_after and coalesce(b.tier_asked, b.tier_after) = was.tier_no
        left join loyalty.rungs as becomes
            on becomes.version = rules_after and coalesce(a.tier_asked, a.tier_after) = becomes.tier_no
    ) as c
$$;
-- Who may call the API, what was answered before, and how fast somebody may go on.

-- Only the hash of a key is kept. A name is given anew once its key is revoked.
create table loyalty.api_keys (
    key_no integer generated always as identity primary key,
    name text not null check (length(name) between 1 and 80),
    digest bytea not null unique check (length(digest) = 32),
    scopes text [] not null check (cardinality(scopes) > 0),
    requests_per_minute integer check (requests_per_minute > 0),
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

comment on column loyalty.api_keys.digest is 'SHA-256 of the key';
comment on column loyalty.api_keys.requests_per_minute is 'null: no limit';

create unique index api_keys_in_use on loyalty.api_keys (name) where revoked_at is null;

-- The first answer to each Idempotency-Key of an API key, written in the transaction of what it answers. The row is made first,
-- without an answer, so that whoever comes with the same key at the same time waits for it.
create table loyalty.answers (
    key_no integer not null,
    idempotency_key text not null check (length(idempotency_key) between 1 and 255),
    digest bytea not null check (length(digest) = 32),
    status smallint,
    body text,
    answered_at timestamptz not null,
    primary key (key_no, idempotency_key)
);

comment on column loyalty.answers.digest is 'SHA-256 of what was asked: method, path and content';

create index answers_by_age on loyalty.answers (answered_at);

-- Token buckets: how many more tries there were at the moment `at`, in seconds of the machines' time, and whether the last one
-- was refused. A crash empties the table, which forgives; so nothing waits for the disc.
create unlogged table loyalty.throttles (
    bucket text primary key,
    tokens double precision not null,
    refused boolean not null,
    at double precision not null
);
-- Every event from outside, as it came, before it is applied: once by (source, event id), whatever becomes of it.

-- body: the bytes received, until they are old; digest: SHA-256 of what they say, by which the same event is told from another
-- of the same id. waits_for: the transaction whose coming lets the event be applied. answer: what its first application said.
create table loyalty.inbox (
    source text not null check (length(source) between 1 and 120),
    event_id text not null check (length(event_id) between 1 and 200),
    event_no bigint generated always as identity,
    kind text not null check (length(kind) between 1 and 80),
    digest bytea not null check (length(digest) = 32),
    body bytea,
    received_at timestamptz not null,
    state text not null check (state in ('waiting', 'applied', 'dead', 'dropped')),
    reason text,
    waits_for text,
    tries integer not null default 0,
    next_try_at timestamptz,
    finished_at timestamptz,
    answer text,
    constraint inbox_once primary key (source, event_id),
    check ((state = 'waiting') = (next_try_at is not null)),
    check ((state = 'waiting') = (finished_at is null))
);

-- Only what is not applied is looked for by anything but its key; so an event that is applied at once costs one index.
create index inbox_due on loyalty.inbox (next_try_at) where state = 'waiting';
create index inbox_unapplied on loyalty.inbox (event_no) where state <> 'applied';
create index inbox_waits_for on loyalty.inbox (source, waits_for) where state = 'waiting' and waits_for is not null;
create index inbox_by_age on loyalty.inbox using brin (received_at);
-- Real time: purchases, refunds, redemptions and vouchers at the till, each in one transaction. What is said here of one member is
-- what the close says of a batch: a purchase is rated by loyalty.rated_transactions, a refund takes points by sql/ledger/take_points.
-- The account is locked first, as a close does, so that the two can't deadlock.

-- What real time has rated and posted in a month that no close has evened out yet: posted is the floor of the member's exact sum
-- with it, less the floor without.
create table loyalty.till_sums (
    member_no bigint not null,
    period date not null,
    exact numeric not null,
    posted bigint not null,
    primary key (member_no, period)
) with (fillfactor = 70);

comment on column loyalty.till_sums.exact is 'exact points of the transactions booked to the month that real time has rated';
comment on column loyalty.till_sums.posted is 'points that real time, or a close evening it out, has posted in the month';

alter table loyalty.transactions add column live boolean;

comment on column loyalty.transactions.live is 'true where real time rated it at once; of all others the close is the first to know';

-- A debit of one member stands in the working tables of run -1 while its transaction takes its points.
alter table loyalty.work_points add column cause bigint;

comment on column loyalty.work_points.cause is 'of the debit''s entry, where it isn''t the close''s own or its sales'' period';

create unlogged table loyalty.work_points_till partition of loyalty.work_points
for values from (-1, minvalue) to (-1, maxvalue);
alter table loyalty.work_points_till add primary key (member_no, sale_period);

-- Points spent, or held for a checkout: the debit is posted when they are held, and undone if the hold ends without a commit. So
-- held points can't be spent twice, can't expire, and come back as those of an undone redemption do.
create table loyalty.redemptions (
    redemption_no bigint generated always as identity primary key,
    member_no bigint not null,
    period date not null,
    entry_id bigint not null,
    points bigint not null check (points > 0),
    worth bigint not null,
    purpose text not null check (purpose in ('money_off', 'reward', 'gift')),
    reference text check (length(reference) between 1 and 200),
    state text not null check (state in ('held', 'committed', 'cancelled', 'lapsed')),
    asked_at timestamptz not null,
    held_until timestamptz,
    ended_at timestamptz,
    check ((state = 'held') = (ended_at is null)),
    check (state <> 'held' or held_until is not null)
);

comment on column loyalty.redemptions.worth is 'minor units of the programme''s currency, by the point value of the day';
comment on column loyalty.redemptions.reference is 'the order paid, the reward of the catalogue, or the gift that the warehouse sends';

create index redemptions_held on loyalty.redemptions (held_until) where state = 'held';
create index redemptions_of_member on loyalty.redemptions (member_no, asked_at);
create index held_points_of_member on loyalty.redemptions (member_no) where state = 'held';

-- Which points an undone redemption gave back to the lots they had come from; entry_id is the undo.
create table loyalty.lot_returns (
    member_no bigint not null,
    lot_no bigint not null,
    entry_id bigint not null,
    points bigint not null check (points > 0),
    primary key (member_no, entry_id, lot_no)
);

-- The warehouse's work for a gift that points paid.
create table loyalty.redeemed_gifts (
    redemption_no bigint primary key references loyalty.redemptions,
    gift text not null,
    state text not null default 'open' check (state in ('open', 'picked', 'shipped', 'delivered', 'cancelled')),
    reason text,
    asked_at timestamptz not null,
    changed_at timestamptz not null
);

-- Who holds or has used a voucher, and for what: a row for those of which somebody asked.
create table loyalty.voucher_uses (
    code text primary key,
    reference text check (length(reference) between 1 and 200),
    held_until timestamptz,
    redeemed_at timestamptz
);

create index vouchers_held on loyalty.voucher_uses (held_until) where redeemed_at is null and held_until is not null;

-- The cause of an entry by which the close of a month evens out what real time has posted in a later one: the month as yyyymm, times a
-- hundred. Real time's own causes are below zero: minus the transaction's number.
create function loyalty.evening_cause(closed date) returns bigint language sql immutable parallel safe as $$
    select (extract(year from closed) * 100 + extract(month from closed))::bigint * 100
$$;

-- Books to the month of an instant or, where that is no longer open, to the earliest open one: its row is held shared until the
-- transaction ends, so that its close waits. A close that began between the look and the lock makes it look again.
create function loyalty.book(instant timestamptz) returns date language plpgsql as $$
declare
    month constant date := loyalty.period_of(instant);
    booked date;
    state text;
begin
    loop
        select greatest(month, (max(p.period) + interval '1 month')::date) into booked
        from loyalty.periods as p where p.state <> 'open';
        select p.state into state from loyalty.periods as p where p.period = booked for share;
        if not found then
            perform loyalty.ensure_period(booked);
        elsif state = 'open' then
            return booked;
        end if;
    end loop;
end $$;

-- When the points of a month expire that are good for so many months; null for ever.
create function loyalty.points_expire_at(period date, months integer) returns timestamptz
language sql stable parallel safe as $$
    select loyalty.period_start((period + make_interval(months => months + 1))::date)
$$;

-- The end of the n-th day after the day of an instant, in the programme's zone.
create function loyalty.end_of_day(instant timestamptz, days integer) returns timestamptz
language sql stable parallel safe as $$
    select loyalty.day_start((instant at time zone p.time_zone)::date + days + 1) from loyalty.programme as p
$$;

-- The same time of day so many days later, in the programme's zone.
create function loyalty.days_later(instant timestamptz, days integer) returns timestamptz
language sql stable parallel safe as $$
    select case
        when days = 0 then instant
        else ((instant at time zone p.time_zone) + make_interval(days => days)) at time zone p.time_zone
    end
    from loyalty.programme as p
$$;

-- Major units as whole minor units; null for what is finer than the currency, or out of bounds.
create function loyalty.in_minor_units(amount numeric, digits integer) returns bigint
language sql immutable parallel safe as $$
    select case
        when amount = round(amount, digits) and abs(amount) < ('1e' || 15 - digits)::numeric
            then (amount * ('1e' || digits)::numeric)::bigint
    end
$$;

-- What the books hold of a member at an instant, whatever has been recorded of it: lots past theirs are gone, and holds past theirs
-- have given their points back, to the lots or, where those were passed, with some days' grace.
create function loyalty.standing(member bigint, at timestamptz)
returns table (available bigint, pending bigint, owed bigint)
language sql stable as $$
    select
        greatest(h.available - d.owed, 0)::bigint,
        (h.pending - least(greatest(d.owed - h.available, 0), h.pending))::bigint,
        greatest(d.owed - h.available - h.pending, 0)::bigint
    from (
        select
            coalesce(sum(x.points) filter (where x.available_at <= at), 0) as available,
            coalesce(sum(x.points) filter (where x.available_at > at), 0) as pending
        from (
            select l.remaining as points, l.available_at from loyalty.lots as l
            where l.member_no = member and l.remaining > 0 and (l.expires_at is null or l.expires_at > at)
            union all
            select u.points, l.available_at
            from loyalty.redemptions as r
            inner join loyalty.rules_in_force as v on v.starts_at <= r.held_until and r.held_until < v.ends_at
            inner join loyalty.lot_uses as u on r.member_no = u.member_no and r.entry_id = u.entry_id
            inner join loyalty.lots as l on u.member_no = l.member_no and u.lot_no = l.lot_no
            where r.member_no = member and r.state = 'held' and r.held_until <= at
                and (
                    l.expires_at is null or l.expires_at > at
                    or (l.expires_at <= r.held_until and loyalty.end_of_day(r.held_until, v.undo_grace_days) > at)
                )
        ) as x
    ) as h
    cross join (select coalesce(sum(o.owed), 0) as owed from loyalty.debts as o where o.member_no = member) as d
$$;

-- The balance at an instant by what the books hold: less what has expired since, which the daily job is yet to record, and with what
-- holds past theirs give back. Reads but the few rows it is about, however many lots there are.
create function loyalty.balance_at(member bigint, in_books bigint, at timestamptz) returns bigint
language plpgsql stable as $$
begin
    if exists (
        select from loyalty.redemptions as r where r.member_no = member and r.state = 'held' and r.held_until <= at
    ) then
        return (select s.available + s.pending - s.owed from loyalty.standing(member, at) as s);
    end if;
    return in_books - (
        select coalesce(sum(l.remaining), 0) from loyalty.lots as l
        where l.member_no = member and l.remaining > 0 and l.expires_at <= at
    );
end $$;

-- A sale or refund as the till tells it; amounts in major units. Without occurred_at it happened now, without currency in that of the
-- programme. original_transaction_id is a refund's only.
create type loyalty.told_transaction as (
    source text,
    transaction_id text,
    customer_id text,
    original_transaction_id text,
    occurred_at timestamptz,
    amount numeric,
    currency text,
    tax numeric,
    shipping numeric,
    tip numeric,
    fee numeric,
    gift_card numeric,
    paid_with_points numeric,
    discount numeric,
    channel text,
    location text
);

-- What came of it. state: recorded; repeated (it was before, with the same words); other_content; or why nothing was written.
create type loyalty.till_answer as (
    state text,
    member_no bigint,
    transaction_no bigint,
    period date,
    points bigint,
    balance bigint,
    tier text,
    debit boolean,
    owes boolean,
    shortfall text
);

-- The number of a source, made known where it isn't. Again: gives the same number.
create function loyalty.source_number(wanted text) returns smallint language plpgsql as $$
declare
    number smallint;
begin
    select s.source_no into number from loyalty.sources as s where s.name = wanted;
    if not found then
        insert into loyalty.sources (name) values (wanted) on conflict do nothing;
        select s.source_no into number from loyalty.sources as s where s.name = wanted;
    end if;
    return number;
end $$;

-- Why a transaction of this moment can't be taken in, or null.
create function loyalty.moment_refused(occurred_at timestamptz, recorded_at timestamptz) returns text
language sql stable as $$
    select case
        when occurred_at > recorded_at + interval '1 day' then 'too_far_ahead'
        when occurred_at < (
            select loyalty.day_start(r.starts_on) from loyalty.rules_in_force as r
            where r.starts_at <= recorded_at and recorded_at < r.ends_at
        ) then 'too_early'
    end
$$;

-- Adds what real time has rated of a member in a month, and posts what the running floor gives with it: points to credit (positive)
-- or to take (negative), of which nothing is left to do for the sums. A fraction over is carried.
create function loyalty.add_exact(member bigint, month date, exact_sum numeric, added numeric) returns bigint
language plpgsql as $$
declare
    points bigint;
begin
    select floor(exact_sum + coalesce(sum(s.exact), 0) + added) - floor(exact_sum) - coalesce(sum(s.posted), 0) into points
    from loyalty.till_sums as s where s.member_no = member;
    points := case when added < 0 then least(points, 0) else greatest(points, 0) end;
    insert into loyalty.till_sums as s (member_no, period, exact, posted)
    values (member, month, added, points)
    on conflict (member_no, period) do update set exact = s.exact + excluded.exact, posted = s.posted + excluded.posted;
    return points;
end $$;

-- Whether a customer_id is a member's, also by way of a merge.
create function loyalty.is_called(member loyalty.members, wanted text) returns boolean language sql stable as $$
    select member.customer_id = wanted or exists (
        select from loyalty.members as o where o.customer_id = wanted and o.merged_into = member.member_no
    )
$$;

-- What was answered when a transaction was recorded, told again: what was posted for it, and how the member stands now.
create function loyalty.told_again(told loyalty.told_transaction, source smallint, at timestamptz) returns loyalty.till_answer
language sql stable as $$
    select (
        case
            when (t.kind, t.amount, t.currency, o.transaction_id) is not distinct from (
                case when told.original_transaction_id is null then 'sale' else 'refund' end,
                loyalty.in_minor_units(told.amount, c.minor_digits),
                case when told.original_transaction_id is null then coalesce(told.currency, v.currency) else t.currency end,
                told.original_transaction_id
            )
            and (told.customer_id is null or loyalty.is_called(m, told.customer_id))
            and (told.occurred_at is null or told.occurred_at = t.occurred_at)
            and (t.tax, t.shipping, t.tip, t.fee, t.gift_card, t.paid_with_points, t.discount, t.channel, t.location)
            is not distinct from (
                loyalty.in_minor_units(told.tax, c.minor_digits), loyalty.in_minor_units(told.shipping, c.minor_digits),
                loyalty.in_minor_units(told.tip, c.minor_digits), loyalty.in_minor_units(told.fee, c.minor_digits),
                loyalty.in_minor_units(told.gift_card, c.minor_digits),
                loyalty.in_minor_units(told.paid_with_points, c.minor_digits),
                loyalty.in_minor_units(told.discount, c.minor_digits), told.channel, told.location
            ) then 'repeated'
            else 'other_content'
        end,
        t.member_no, t.transaction_no, t.booked_period,
        coalesce((
            select sum(e.points) from loyalty.entries as e
            where e.period = t.booked_period and e.member_no = t.member_no and e.kind in ('earn', 'take_back')
                and e.cause = -t.transaction_no
        ), 0)::bigint,
        loyalty.balance_at(t.member_no, a.balance, at), tier.name, false, false, null
    )::loyalty.till_answer
    from loyalty.transaction_keys as k
    inner join loyalty.transactions as t
        on k.booked_period = t.booked_period and k.member_no = t.member_no and k.transaction_no = t.transaction_no
    inner join loyalty.members as m on t.member_no = m.member_no
    inner join loyalty.accounts as a on t.member_no = a.member_no
    inner join loyalty.tiers as tier on a.tier_no = tier.tier_no
    inner join loyalty.currencies as c on t.currency = c.currency
    inner join loyalty.rules_in_force as v on v.starts_at <= at and at < v.ends_at
    left join loyalty.transactions as o
        on t.sale_period = o.booked_period and t.member_no = o.member_no and t.sale_no = o.transaction_no
    where k.source_no = source and k.transaction_id = told.transaction_id
$$;

-- The amounts of a sale in minor units, with the rate of its day where its currency is another; state says why it can't be taken.
create type loyalty.till_money as (
    state text,
    currency text,
    exchange_rate numeric,
    amount bigint,
    tax bigint,
    shipping bigint,
    tip bigint,
    fee bigint,
    gift_card bigint,
    paid_with_points bigint,
    discount bigint
);

create function loyalty.money_told(told loyalty.told_transaction, happened_at timestamptz, at timestamptz)
returns loyalty.till_money language sql stable as $$
    select (
        case
            when num_nonnulls(
                m.amount, m.tax, m.shipping, m.tip, m.fee, m.gift_card, m.paid_with_points, m.discount
            ) < num_nonnulls(
                told.amount, told.tax, told.shipping, told.tip, told.fee, told.gift_card, told.paid_with_points, told.discount
            ) then 'too_fine'
            when m.elsewhere and m.rate is null then 'no_rate'
        end,
        m.currency, m.rate, m.amount, m.tax, m.shipping, m.tip, m.fee, m.gift_card, m.paid_with_points, m.discount
    )::loyalty.till_money
    from (
        select
            c.currency,
            c.currency <> v.currency as elsewhere,
            case when c.currency <> v.currency then e.rate * ('1e' || v.minor_digits - c.minor_digits)::numeric end as rate,
            loyalty.in_minor_units(told.amount, c.minor_digits) as amount,
            loyalty.in_minor_units(told.tax, c.minor_digits) as tax,
            loyalty.in_minor_units(told.shipping, c.minor_digits) as shipping,
            loyalty.in_minor_units(told.tip, c.minor_digits) as tip,
            loyalty.in_minor_units(told.fee, c.minor_digits) as fee,
            loyalty.in_minor_units(told.gift_card, c.minor_digits) as gift_card,
            loyalty.in_minor_units(told.paid_with_points, c.minor_digits) as paid_with_points,
            loyalty.in_minor_units(told.discount, c.minor_digits) as discount
        from loyalty.rules_in_force as v
        cross join loyalty.programme as g
        inner join loyalty.currencies as c on c.currency = coalesce(told.currency, v.currency)
        left join loyalty.exchange_rates as e
            on c.currency <> v.currency and c.currency = e.currency
            and e.day = (happened_at at time zone g.time_zone)::date
        where v.starts_at <= at and at < v.ends_at
    ) as m
$$;

-- The rows of a sale that is new: its key and itself, booked and live as said; null if somebody else has just recorded this id.
create function loyalty.add_sale(
    told loyalty.told_transaction,
    source smallint,
    money loyalty.till_money,
    member bigint,
    month date,
    happened_at timestamptz,
    recorded_at timestamptz,
    live boolean
) returns bigint language plpgsql as $$
#variable_conflict use_column
declare
    number bigint;
begin
    insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)
    values (source, told.transaction_id, nextval('loyalty.transactions_transaction_no_seq'), member, month)
    on conflict do nothing
    returning transaction_no into number;
    if found then
        insert into loyalty.transactions (
            booked_period, member_no, transaction_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency,
            exchange_rate, tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, live
        )
        overriding system value
        values (
            month, member, number, source, told.transaction_id, 'sale', happened_at, add_sale.recorded_at, money.amount,
            money.currency, money.exchange_rate, money.tax, money.shipping, money.tip, money.fee, money.gift_card,
            money.paid_with_points, money.discount, told.channel, told.location, nullif(add_sale.live, false)
        );
    end if;
    return number;
end $$;

-- Rates a sale that is recorded, with the account locked, and posts what the running floor gives for it: entry, lot, balance. How many
-- points that is.
create function loyalty.credit_sale(
    sale bigint,
    account loyalty.accounts,
    month date,
    pending_days integer,
    expiry_months integer,
    happened_at timestamptz,
    recorded_at timestamptz
) returns bigint language plpgsql as $$
#variable_conflict use_column
declare
    exact numeric;
    posted bigint;
    lot bigint;
begin
    select t.eligible * t.points_per_unit into exact from loyalty.rated_transactions as t
    where t.booked_period = month and t.member_no = account.member_no and t.transaction_no = sale;
    posted := loyalty.add_exact(account.member_no, month, account.exact_sum, exact);
    if posted > 0 then
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
        values (month, account.member_no, 'earn', -sale, posted, happened_at, credit_sale.recorded_at)
        returning entry_id into lot;
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
        values (
            lot, account.member_no, month, posted, posted,
            loyalty.days_later(happened_at, pending_days), loyalty.points_expire_at(month, expiry_months)
        );
        update loyalty.accounts as a set balance = a.balance + posted where a.member_no = account.member_no;
    end if;
    return posted;
end $$;

-- Since when a member, whose account the caller has just locked, is erased; null for one who is not. One who was merged into another
-- while the lock was waited for makes the caller begin again.
create function loyalty.erased_while_waiting(member bigint) returns timestamptz language plpgsql as $$
declare
    found_now record;
begin
    select m.erased_at, m.merged_into into found_now from loyalty.members as m where m.member_no = member;
    if found_now.merged_into is not null then
        raise exception 'the member has just been merged into another' using errcode = 'serialization_failure';
    end if;
    return found_now.erased_at;
end $$;

-- Records a sale and, where the rules of its month earn on purchase, posts its points. A customer who is not known is to be enrolled
-- first. Nothing is written unless the state is recorded. Again: the key of transactions refuses a second one.
create function loyalty.record_purchase(told loyalty.told_transaction, recorded_at timestamptz) returns loyalty.till_answer
language plpgsql as $$
declare
    happened_at constant timestamptz := coalesce(told.occurred_at, recorded_at);
    answer loyalty.till_answer;
    source smallint;
    erased timestamptz;
    enrolled timestamptz;
    account loyalty.accounts;
    money loyalty.till_money;
    rules record;
begin
    answer.state := loyalty.moment_refused(happened_at, recorded_at);
    if answer.state is not null then
        return answer;
    end if;
    select coalesce(m.merged_into, m.member_no), m.enrolled_at into answer.member_no, enrolled
    from loyalty.members as m where m.customer_id = told.customer_id;
    if not found then
        answer.state := loyalty.of_nobody(told, happened_at, recorded_at);
        return answer;
    end if;
    source := loyalty.source_number(told.source);
    select a.* into account from loyalty.accounts as a where a.member_no = answer.member_no for update;
    erased := loyalty.erased_while_waiting(answer.member_no);
    if exists (
        select from loyalty.transaction_keys as k where k.source_no = source and k.transaction_id = told.transaction_id
    ) then
        return loyalty.told_again(told, source, recorded_at);
    end if;
    money := loyalty.money_told(told, happened_at, recorded_at);
    answer.state := case
        when erased is not null then 'erased'
        when happened_at < enrolled and enrolled >= loyalty.claimed_until(happened_at) then 'unclaimed'
        when money.currency is null then 'no_such_currency'
        else money.state
    end;
    if answer.state is not null then
        return answer;
    end if;

    answer.period := loyalty.book(happened_at);
    select v.earning, v.pending_days, v.expiry_months into rules from loyalty.rules_in_force as v
    where v.from_period <= answer.period and answer.period < v.until_period;
    answer.transaction_no := loyalty.add_sale(
        told, source, money, answer.member_no, answer.period, happened_at, recorded_at, rules.earning = 'on_purchase'
    );
    if answer.transaction_no is null then -- it came for another member, or from a file
        return loyalty.told_again(told, source, recorded_at);
    end if;
    answer.points := 0;
    if rules.earning = 'on_purchase' then
        answer.points := loyalty.credit_sale(
            answer.transaction_no, account, answer.period, rules.pending_days, rules.expiry_months,
            least(happened_at, recorded_at), recorded_at
        );
    end if;
    answer.owes := answer.points > 0 and exists (select from loyalty.debts as d where d.member_no = answer.member_no);
    answer.tier := (select t.name from loyalty.tiers as t where t.tier_no = account.tier_no);
    answer.balance := loyalty.balance_at(answer.member_no, account.balance + answer.points, recorded_at);
    answer.state := 'recorded';
    return answer;
end $$;

-- Records a refund of a sale and, where real time or a close has posted the sale's points, says which are to be taken: the debit stands
-- in the working table of run -1, for sql/ledger/take_points in the same transaction. Nothing is written unless the state is recorded.
-- Again: the key of transactions refuses a second one.
create function loyalty.record_refund(told loyalty.told_transaction, recorded_at timestamptz) returns loyalty.till_answer
language plpgsql as $$
#variable_conflict use_column
declare
    happened_at constant timestamptz := coalesce(told.occurred_at, record_refund.recorded_at);
    source constant smallint := loyalty.source_number(told.source);
    answer loyalty.till_answer;
    account loyalty.accounts;
    named loyalty.transaction_keys;
    sale record;
    amount bigint;
    terms record;
    rated record;
begin
    answer.state := loyalty.moment_refused(happened_at, record_refund.recorded_at);
    if answer.state is not null then
        return answer;
    elsif exists (
        select from loyalty.transaction_keys as k where k.source_no = source and k.transaction_id = told.transaction_id
    ) then
        return loyalty.told_again(told, source, record_refund.recorded_at);
    end if;
    select k.* into named from loyalty.transaction_keys as k
    where k.source_no = source and k.transaction_id = told.original_transaction_id;
    if not found then
        answer.state := 'no_sale';
        return answer;
    end if;
    answer.member_no := named.member_no;
    select a.* into account from loyalty.accounts as a where a.member_no = answer.member_no for update;
    -- two who refund the same sale, or correct it, wait for each other
    select k.* into named from loyalty.transaction_keys as k
    where k.source_no = source and k.transaction_id = told.original_transaction_id
    for no key update;
    if named.member_no <> answer.member_no then
        raise exception 'the sale has just become another member''s' using errcode = 'serialization_failure';
    end if;

    select t.*, c.minor_digits, m.customer_id, m.erased_at into sale
    from loyalty.transactions as t
    inner join loyalty.currencies as c on t.currency = c.currency
    inner join loyalty.members as m on t.member_no = m.member_no
    where t.booked_period = named.booked_period and t.member_no = named.member_no and t.transaction_no = named.transaction_no;
    amount := loyalty.in_minor_units(told.amount, sale.minor_digits);
    answer.state := case
        when sale.kind <> 'sale' then 'not_a_sale'
        when sale.erased_at is not null then 'erased'
        when told.customer_id <> sale.customer_id
            and loyalty.member_called(told.customer_id) is distinct from answer.member_no then 'other_customer'
        when told.currency <> sale.currency then 'other_currency'
        when amount is null then 'too_fine'
        when amount > sale.amount - (
            select coalesce(sum(case o.kind when 'refund' then o.amount else -o.amount end), 0)
            from loyalty.transactions as o where o.sale_no = sale.transaction_no
        ) then 'too_much'
    end;
    if answer.state is not null then
        return answer;
    end if;

    answer.owes := loyalty.release_lapsed(answer.member_no, record_refund.recorded_at);
    answer.period := loyalty.book(happened_at);
    insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)
    values (
        source, told.transaction_id, nextval('loyalty.transactions_transaction_no_seq'), answer.member_no, answer.period
    )
    on conflict do nothing
    returning transaction_no into answer.transaction_no;
    if not found then
        return loyalty.told_again(told, source, record_refund.recorded_at);
    end if;
    select
        v.shortfall,
        v.earning = 'on_purchase' and (sale.live or coalesce(sale.booked_period <= account.stated_period, false)) as live
    into terms
    from loyalty.rules_in_force as v where v.from_period <= answer.period and answer.period < v.until_period;
    insert into loyalty.transactions (
        booked_period, member_no, transaction_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency,
        exchange_rate, channel, location, sale_no, sale_period, live
    )
    overriding system value
    values (
        answer.period, answer.member_no, answer.transaction_no, source, told.transaction_id, 'refund', happened_at,
        record_refund.recorded_at, amount, sale.currency, sale.exchange_rate, told.channel, told.location,
        sale.transaction_no, sale.booked_period, nullif(coalesce(terms.live, false), false)
    );

    answer.points := 0;
    if terms.live then
        select t.eligible * t.points_per_unit as exact, t.sale_period into rated from loyalty.rated_transactions as t
        where t.booked_period = answer.period and t.member_no = answer.member_no and t.transaction_no = answer.transaction_no;
        answer.points := loyalty.add_exact(answer.member_no, answer.period, account.exact_sum, rated.exact);
    end if;
    answer.debit := answer.points < 0;
    if answer.debit then
        insert into loyalty.work_points (run_no, member_no, sale_period, rank, exact, unnamed, points, cause)
        values (-1, answer.member_no, rated.sale_period, 1, 0, 0, answer.points, -answer.transaction_no);
    end if;
    answer.shortfall := terms.shortfall;
    select t.name into answer.tier from loyalty.tiers as t where t.tier_no = account.tier_no;
    answer.balance := loyalty.balance_at(
        answer.member_no,
        (select a.balance from loyalty.accounts as a where a.member_no = answer.member_no),
        record_refund.recorded_at
    );
    answer.state := 'recorded';
    return answer;
end $$;

-- Gives the points of a redemption back at an instant, by an entry of that instant's month: to the lots they came from, under their old
-- dates, or, where a lot has passed by then, to a new one that names the last of those and has some days' grace. The caller holds the
-- account; what is owed is paid next, by sql/ledger/pay_debts, where this says so.
create function loyalty.return_points(spent loyalty.redemptions, ended text, at timestamptz, recorded_at timestamptz)
returns boolean language plpgsql as $$
#variable_conflict use_column
declare
    month constant date := loyalty.book(return_points.at);
    entry bigint;
    passed record;
begin
    update loyalty.redemptions as r set state = ended, ended_at = return_points.at
    where r.redemption_no = spent.redemption_no;
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
    values (
        month, spent.member_no, 'undo', spent.redemption_no, spent.points, return_points.at, return_points.recorded_at,
        spent.redemption_no::text
    )
    returning entry_id into entry;
    with back as (
        insert into loyalty.lot_returns (member_no, lot_no, entry_id, points)
        select u.member_no, u.lot_no, entry, u.points
        from loyalty.lot_uses as u
        inner join loyalty.lots as l on u.member_no = l.member_no and u.lot_no = l.lot_no
        where u.member_no = spent.member_no and u.entry_id = spent.entry_id
            and (l.expires_at is null or l.expires_at > return_points.at)
        returning lot_no, points
    )

    update loyalty.lots as l set remaining = l.remaining + b.points
    from back as b where l.member_no = spent.member_no and l.lot_no = b.lot_no;
    select sum(u.points) as points, max(u.lot_no) as lot_no into passed
    from loyalty.lot_uses as u
    inner join loyalty.lots as l on u.member_no = l.member_no and u.lot_no = l.lot_no
    where u.member_no = spent.member_no and u.entry_id = spent.entry_id and l.expires_at <= return_points.at;
    if passed.points > 0 then
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at, origin_lot_no)
        select
            entry, spent.member_no, month, passed.points, passed.points, return_points.at,
            loyalty.end_of_day(return_points.at, v.undo_grace_days), passed.lot_no
        from loyalty.rules_in_force as v where v.starts_at <= return_points.at and return_points.at < v.ends_at;
    end if;
    update loyalty.accounts as a set balance = a.balance + spent.points where a.member_no = spent.member_no;
    update loyalty.redeemed_gifts as g
    set state = 'cancelled', reason = 'redemption ' || ended, changed_at = return_points.recorded_at
    where g.redemption_no = spent.redemption_no;
    return exists (select from loyalty.debts as d where d.member_no = spent.member_no);
end $$;

-- Ends a member's holds that nobody committed in time, as of the end of each; the caller holds the account. Whether something is owed
-- that the points that came back must pay. Again: finds none.
create function loyalty.release_lapsed(member bigint, recorded_at timestamptz) returns boolean language plpgsql as $$
declare
    spent loyalty.redemptions;
    owes boolean := false;
begin
    for spent in
        select r.* from loyalty.redemptions as r
        where r.member_no = member and r.state = 'held' and r.held_until <= release_lapsed.recorded_at
        order by r.held_until, r.redemption_no
        for update
    loop
        owes := loyalty.return_points(spent, 'lapsed', spent.held_until, release_lapsed.recorded_at);
    end loop;
    return owes;
end $$;

-- What a redemption comes to: done or not, and how the member stands after it. state is that of the redemption, or why there is none.
create type loyalty.redemption_answer as (
    state text,
    redemption_no bigint,
    member_no bigint,
    points bigint,
    worth bigint,
    held_until timestamptz,
    balance bigint,
    available bigint,
    owes boolean,
    currency text
);

-- Why so many points can't be redeemed by the rules of an instant, whatever the member has; null if they can. left_today: what the
-- member may redeem today yet, null without a cap.
create function loyalty.redemption_refused(rules loyalty.rules_versions, wanted bigint, left_today bigint) returns text
language sql immutable parallel safe as $$
    select case
        when wanted < rules.redemption_minimum then 'below_minimum'
        when wanted % rules.redemption_step <> 0 then 'wrong_step'
        when wanted > left_today then 'above_day_max'
    end
$$;

-- What a member, with those merged into it, may redeem on the day of an instant yet, in the programme's zone; null where the rules set no
-- cap.
create function loyalty.left_today(rules loyalty.rules_versions, member bigint, at timestamptz) returns bigint
language sql stable parallel safe as $$
    select rules.redemption_day_max - coalesce(sum(r.points), 0)::bigint
    from loyalty.redemptions as r
    where rules.redemption_day_max is not null
        and r.member_no = any(array(select m.member_no from loyalty.members as m where m.member_no = member or m.merged_into = member))
        and r.asked_at >= loyalty.end_of_day(at, -1) and r.asked_at < loyalty.end_of_day(at, 0)
        and (r.state = 'committed' or (r.state = 'held' and r.held_until > at))
$$;

-- The rules in force at an instant.
create function loyalty.rules_at(instant timestamptz) returns setof loyalty.rules_versions
language sql stable parallel safe as $$
    select v.* from loyalty.rules_versions as v
    where v.version = (
        select r.version from loyalty.rules_in_force as r where r.starts_at <= instant and instant < r.ends_at
    )
$$;

-- What points are worth in the programme's currency, in minor units.
create function loyalty.worth_of(points bigint, rules loyalty.rules_versions) returns bigint
language sql immutable parallel safe as $$
    select loyalty.half_even(points * rules.point_value * ('1e' || rules.minor_digits)::numeric)
$$;

-- Takes points from the lots that can be spent at an instant, the soonest to expire first, and records each use; how many it could take.
create function loyalty.use_lots(member bigint, entry bigint, wanted bigint, at timestamptz) returns bigint
language plpgsql as $$
declare
    lot record;
    taken bigint := 0;
begin
    for lot in
        select l.lot_no, l.remaining from loyalty.lots as l
        where l.member_no = member and l.remaining > 0 and l.available_at <= use_lots.at
            and (l.expires_at is null or l.expires_at > use_lots.at)
        order by l.expires_at asc nulls last, l.lot_no
    loop
        exit when taken = wanted;
        lot.remaining := least(lot.remaining, wanted - taken);
        update loyalty.lots as l set remaining = l.remaining - lot.remaining
        where l.member_no = member and l.lot_no = lot.lot_no;
        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points) values (member, lot.lot_no, entry, lot.remaining);
        taken := taken + lot.remaining;
    end loop;
    return taken;
end $$;

-- Spends points, or holds them for a checkout: never more than are available. Nothing is written unless the state is held or
-- committed, but that holds past theirs are released; pay_first says that these gave back what must pay a debt first.
create function loyalty.redeem(
    customer text, wanted bigint, purpose text, reference text, hold boolean, at timestamptz
) returns loyalty.redemption_answer language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.redemption_answer;
    rules loyalty.rules_versions;
    month date;
    entry bigint;
begin
    select coalesce(m.merged_into, m.member_no) into answer.member_no
    from loyalty.members as m where m.customer_id = customer and m.erased_at is null;
    if not found then
        answer.state := 'unknown_customer';
        return answer;
    end if;
    select a.balance into answer.balance from loyalty.accounts as a where a.member_no = answer.member_no for update;
    if loyalty.erased_while_waiting(answer.member_no) is not null then
        answer.state := 'unknown_customer';
        return answer;
    end if;
    select v.* into rules from loyalty.rules_at(at) as v;
    answer.state := loyalty.redemption_refused(rules, wanted, loyalty.left_today(rules, answer.member_no, at));
    if answer.state is not null then
        return answer;
    elsif loyalty.release_lapsed(answer.member_no, at) then
        answer.state := 'pay_first';
        return answer;
    end if;
    if wanted > (
        select coalesce(sum(l.remaining), 0) from loyalty.lots as l
        where l.member_no = answer.member_no and l.remaining > 0 and l.available_at <= at
            and (l.expires_at is null or l.expires_at > at)
    ) then
        answer.state := 'too_few';
        return answer;
    end if;

    month := loyalty.book(at);
    answer.redemption_no := nextval('loyalty.redemptions_redemption_no_seq');
    answer.points := wanted;
    answer.worth := loyalty.worth_of(wanted, rules);
    answer.state := case when hold then 'held' else 'committed' end;
    answer.held_until := case when hold then at + make_interval(mins => rules.hold_minutes) end;
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
    values (month, answer.member_no, 'redeem', answer.redemption_no, -wanted, at, at, answer.redemption_no::text)
    returning entry_id into entry;
    if loyalty.use_lots(answer.member_no, entry, wanted, at) <> wanted then
        raise exception 'the lots do not hold what they were said to' using errcode = 'LY002';
    end if;
    insert into loyalty.redemptions (
        redemption_no, member_no, period, entry_id, points, worth, purpose, reference, state, asked_at, held_until, ended_at
    )
    overriding system value
    values (
        answer.redemption_no, answer.member_no, month, entry, wanted, answer.worth, purpose, reference, answer.state, at,
        answer.held_until, case when hold then null else at end
    );
    if not hold then
        perform loyalty.ask_for_gift(answer.redemption_no, at);
    end if;
    update loyalty.accounts as a set balance = a.balance - wanted where a.member_no = answer.member_no;
    if rules.receipts then
        perform loyalty.queue_receipt(answer.redemption_no, at);
    end if;
    return loyalty.redemption_told(answer.redemption_no, at);
end $$;

-- A warehouse task for a redemption that pays for a gift. Again: the task's key refuses a second one.
create function loyalty.ask_for_gift(redemption bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.redeemed_gifts (redemption_no, gift, asked_at, changed_at)
    select r.redemption_no, r.reference, at, at from loyalty.redemptions as r
    where r.redemption_no = redemption and r.purpose = 'gift'
    on conflict do nothing
$$;

-- A redemption as it is at an instant, and how its member stands; null if there is none.
create function loyalty.redemption_told(redemption bigint, at timestamptz) returns loyalty.redemption_answer
language sql stable as $$
    select (
        case when r.state = 'held' and r.held_until <= at then 'lapsed' else r.state end,
        r.redemption_no, r.member_no, r.points, r.worth, r.held_until,
        s.available + s.pending - s.owed, s.available, false, v.currency
    )::loyalty.redemption_answer
    from loyalty.redemptions as r
    inner join loyalty.rules_in_force as v on v.starts_at <= r.asked_at and r.asked_at < v.ends_at
    cross join lateral loyalty.standing(r.member_no, at) as s
    where r.redemption_no = redemption
$$;

-- Commits points that are held: once, and only before the hold ends. The state says what they are then.
create function loyalty.commit_redemption(redemption bigint, at timestamptz) returns loyalty.redemption_answer
language plpgsql as $$
begin
    update loyalty.redemptions as r set state = 'committed', ended_at = commit_redemption.at
    where r.redemption_no = redemption and r.state = 'held' and r.held_until > commit_redemption.at;
    if found then
        perform loyalty.ask_for_gift(redemption, commit_redemption.at);
        perform loyalty.queue_receipt(redemption, commit_redemption.at);
    end if;
    return loyalty.redemption_told(redemption, commit_redemption.at);
end $$;

-- Undoes a redemption, held or committed: its points come back. One that came back before stays as it is; a gift that has left the
-- warehouse keeps its redemption: the state is then gift_sent. The caller pays debts where owes says so.
create function loyalty.cancel_redemption(redemption bigint, at timestamptz) returns loyalty.redemption_answer
language plpgsql as $$
declare
    answer loyalty.redemption_answer;
    spent loyalty.redemptions;
    sent text;
    owes boolean := false;
begin
    perform from loyalty.accounts as a
    where a.member_no = (select r.member_no from loyalty.redemptions as r where r.redemption_no = redemption)
    for update;
    select r.* into spent from loyalty.redemptions as r where r.redemption_no = redemption for update;
    if not found then
        return null;
    end if;
    select g.state into sent from loyalty.redeemed_gifts as g where g.redemption_no = redemption for update;
    if spent.state = 'committed' and sent in ('shipped', 'delivered') then
        answer := loyalty.redemption_told(redemption, cancel_redemption.at);
        answer.state := 'gift_sent';
        return answer;
    end if;
    owes := loyalty.release_lapsed(spent.member_no, cancel_redemption.at);
    if spent.state = 'committed' or (spent.state = 'held' and spent.held_until > cancel_redemption.at) then
        owes := loyalty.return_points(spent, 'cancelled', cancel_redemption.at, cancel_redemption.at);
        perform loyalty.withhold_receipt(redemption, cancel_redemption.at);
    end if;
    answer := loyalty.redemption_told(redemption, cancel_redemption.at);
    answer.owes := owes;
    return answer;
end $$;

-- What a voucher is at an instant, whatever has been recorded of it: its state, and until when a hold lasts.
create type loyalty.voucher_answer as (
    state text,
    code text,
    member_no bigint,
    customer_id text,
    amount bigint,
    currency text,
    expires_at timestamptz,
    held_until timestamptz,
    reference text,
    done boolean
);

-- Looks a voucher up by its code, in the archive too; null if there is none.
create function loyalty.look_at_voucher(wanted text, at timestamptz) returns loyalty.voucher_answer
language sql stable as $$
    select (
        case
            when v.state = 'held' and u.held_until > at then 'held'
            when v.state in ('issued', 'held') then case when v.expires_at > at then 'issued' else 'expired' end
            else v.state
        end,
        v.code, v.member_no, m.customer_id, v.amount, v.currency, v.expires_at,
        case when v.state = 'held' and u.held_until > at then u.held_until end,
        case when v.state = 'redeemed' or (v.state = 'held' and u.held_until > at) then u.reference end,
        false
    )::loyalty.voucher_answer
    from loyalty.voucher_codes as c
    cross join lateral (
        select k.code, k.member_no, k.amount, k.currency, k.state, k.expires_at from loyalty.vouchers as k
        where k.member_no = c.member_no and k.code = c.code
        union all
        select a.code, a.member_no, a.amount, a.currency, a.state, a.expires_at from loyalty.voucher_archive as a
        where a.code = c.code
    ) as v
    inner join loyalty.members as m on v.member_no = m.member_no
    left join loyalty.voucher_uses as u on c.code = u.code
    where c.code = wanted
$$;

-- Moves a voucher from the states given to another, by one conditional update whose row count decides; done says whether it did. The row
-- is locked before it is judged, so that of any number who come at once one finds it as it was. A hold that has ended counts as none.
create function loyalty.move_voucher(
    wanted text, from_states text [], to_state text, reference text, held_until timestamptz, at timestamptz
) returns loyalty.voucher_answer language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.voucher_answer;
    moved bigint;
begin
    perform from loyalty.vouchers as v
    where v.code = wanted and v.member_no = (select c.member_no from loyalty.voucher_codes as c where c.code = wanted)
    for update;
    answer := loyalty.look_at_voucher(wanted, at);
    if answer.code is null or not answer.state = any(from_states)
        or (answer.state = 'held' and answer.reference is distinct from reference) then
        return answer;
    end if;
    update loyalty.vouchers as v set state = to_state
    where v.code = wanted and v.member_no = answer.member_no and v.state in ('issued', 'held');
    get diagnostics moved = row_count;
    if moved = 1 then
        insert into loyalty.voucher_uses as u (code, reference, held_until, redeemed_at)
        values (wanted, reference, held_until, case when to_state = 'redeemed' then at end)
        on conflict (code) do update set
            reference = excluded.reference, held_until = excluded.held_until, redeemed_at = excluded.redeemed_at;
        answer := loyalty.look_at_voucher(wanted, at);
        answer.done := true;
    end if;
    return answer;
end $$;
-- A purchase received and applied, a redemption made and answered, by one statement: which is what nearly all of them need.

-- Makes whoever brings the same event wait until this transaction ends, before anything else is locked: so the ways in can't deadlock.
create function loyalty.lock_event(source text, event_id text) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(event_id, hashtextextended(source, 0)))
$$;

-- Keeps a purchase as it came and records it, with the answer to whoever asks; also the points posted. Nothing is written unless the
-- state is recorded: where it isn't (the event is known, a refund waits for it, the customer is new, owes points or was referred, the
-- rules set limits, it can't be recorded), it takes more statements than one, or a refusal. Again: the keys of inbox and transactions
-- refuse a second one.
create function loyalty.take_purchase(told loyalty.told_transaction, digest bytea, body bytea, at timestamptz)
returns table (state text, answer text, points bigint) language plpgsql as $$
declare
    recorded loyalty.till_answer;
begin
    perform loyalty.lock_event(told.source, told.transaction_id);
    if exists (select from loyalty.velocity_limits) or exists (
        select from loyalty.inbox as i where i.source = told.source and i.event_id = told.transaction_id
    ) or exists (
        select from loyalty.inbox as i
        where i.source = told.source and i.waits_for = told.transaction_id and i.state = 'waiting'
    ) or exists (
        select from loyalty.members as m
        inner join loyalty.debts as d on d.member_no = coalesce(m.merged_into, m.member_no)
        where m.customer_id = told.customer_id
    ) or exists (
        select from loyalty.members as m
        inner join loyalty.referrals as r on coalesce(m.merged_into, m.member_no) = r.referred_no and r.state = 'open'
        where m.customer_id = told.customer_id
    ) then
        return;
    end if;
    recorded := loyalty.record_purchase(told, at);
    if recorded.state <> 'recorded' then
        return;
    end if;
    if recorded.owes then
        raise exception 'the member has just come to owe points' using errcode = 'serialization_failure';
    end if;
    state := recorded.state;
    points := recorded.points;
    answer := (
        select row_to_json(a)::text
        from (select told.transaction_id, recorded.points as points_posted, recorded.balance, recorded.tier) as a
    );
    insert into loyalty.inbox (source, event_id, kind, digest, body, received_at, state, finished_at, answer)
    values (told.source, told.transaction_id, 'purchase', digest, body, at, 'applied', at, answer);
    return next;
end $$;

-- Spends points under an idempotency key and keeps the answer. Null, with nothing written, if that takes more statements than one, or a
-- refusal: the key was used before, the rules set limits, the points can't be spent, or a hold that is over gave back what must pay a debt first.
create function loyalty.take_redemption(
    key integer, key_given text, digest bytea, customer text, wanted bigint, purpose text, reference text, at timestamptz
) returns text language plpgsql as $$
declare
    made loyalty.redemption_answer;
    told text;
begin
    if exists (select from loyalty.velocity_limits) then
        return null;
    end if;
    insert into loyalty.answers (key_no, idempotency_key, digest, status, answered_at)
    values (key, key_given, take_redemption.digest, 201, at)
    on conflict (key_no, idempotency_key) do nothing;
    if not found then
        return null;
    end if;
    made := loyalty.redeem(customer, wanted, purpose, reference, false, at);
    if made.state = 'pay_first' then
        raise exception 'a hold that is over gave points back' using errcode = 'serialization_failure';
    end if;
    if made.redemption_no is null then
        delete from loyalty.answers as a where a.key_no = key and a.idempotency_key = key_given;
        return null;
    end if;
    told := (
        select row_to_json(a)::text
        from (
            select
                made.redemption_no::text as redemption_id, made.state, made.points,
                round(made.worth * ('1e-' || c.minor_digits)::numeric, c.minor_digits)::text as worth, made.currency,
                made.balance, made.available, made.held_until
            from loyalty.currencies as c where c.currency = made.currency
        ) as a
    );
    update loyalty.answers as a set body = told where a.key_no = key and a.idempotency_key = key_given;
    return told;
end $$;
-- Points given for anything but a purchase: a trigger of the rules, a campaign, a member of staff.

-- What was given, once for each member, kind and occasion: "2026" of a birthday, "7" of a campaign. It outlives the entry's period.
create table loyalty.grants (
    grant_no bigint generated always as identity primary key,
    member_no bigint not null,
    kind loyalty.entry_kind not null check (
        kind in (
            'bonus', 'adjust', 'registration', 'profile', 'referral', 'share', 'check_in', 'birthday', 'anniversary', 'visits', 'campaign'
        )
    ),
    occasion text not null check (length(occasion) between 1 and 200),
    points bigint not null check (points > 0),
    reason text,
    granted_at timestamptz not null,
    entry_id bigint,
    constraint grants_once unique (member_no, kind, occasion)
);

comment on column loyalty.grants.entry_id is 'the entry that posted it; null until it is posted';
comment on column loyalty.grants.reason is 'never personal data: the entry shows it';

create index grants_due on loyalty.grants (member_no) where entry_id is null;

-- Posts what is granted to members of a range and not posted yet, to the open month of an instant: entries, lots that are good at once,
-- balances. How many; what these members owe is paid after it (sql/ledger/pay_debts). Again: a grant that has its entry is left out.
create function loyalty.post_grants(first_member bigint, stop_member bigint, at timestamptz) returns bigint
language plpgsql as $$
declare
    month date;
    good_until timestamptz;
    posted bigint;
begin
    perform from loyalty.accounts as a
    where a.member_no >= first_member and a.member_no < stop_member
        and a.member_no in (select g.member_no from loyalty.grants as g where g.entry_id is null)
    order by a.member_no
    for update;
    month := loyalty.book(at);
    good_until := (
        select loyalty.points_expire_at(month, v.expiry_months) from loyalty.rules_in_force as v
        where v.from_period <= month and month < v.until_period
    );
    with due as materialized (
        select g.* from loyalty.grants as g
        where g.entry_id is null and g.member_no >= first_member and g.member_no < stop_member
        order by g.member_no, g.grant_no
        for update
    ),

    entered as (
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference, reason)
        select month, d.member_no, d.kind, d.grant_no, d.points, d.granted_at, at, d.occasion, d.reason from due as d
        returning entry_id, member_no, cause, points
    ),

    kept as (
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
        select e.entry_id, e.member_no, month, e.points, e.points, at, good_until from entered as e
    ),

    credited as (
        update loyalty.accounts as a set balance = a.balance + e.points
        from (select x.member_no, sum(x.points)::bigint as points from entered as x group by x.member_no) as e
        where a.member_no = e.member_no
    ),

    settled as (
        update loyalty.grants as g set entry_id = e.entry_id
        from entered as e
        where g.grant_no = e.cause
    )

    select count(*) into posted from entered;
    return posted;
end $$;
-- Purchases of customers whom nobody has registered: where the rules enrol by registration only, they are kept until then.

-- Until when a customer must register to have the points of a purchase of an instant, by the rules then in force; null where the first
-- purchase enrols.
create function loyalty.claimed_until(happened_at timestamptz) returns timestamptz language sql stable parallel safe as $$
    select loyalty.days_later(happened_at, v.claim_days)
    from loyalty.rules_in_force as v
    where v.starts_at <= happened_at and happened_at < v.ends_at and v.enrolment = 'registration'
$$;

-- What becomes of a purchase whose customer is not known: unknown_customer is to be enrolled, unregistered waits for the customer, and
-- whatever can never be recorded is told at once.
create function loyalty.of_nobody(told loyalty.told_transaction, happened_at timestamptz, recorded_at timestamptz) returns text
language plpgsql stable as $$
declare
    until constant timestamptz := loyalty.claimed_until(happened_at);
    money loyalty.till_money;
begin
    if until is null then
        return 'unknown_customer';
    end if;
    money := loyalty.money_told(told, happened_at, recorded_at);
    return case
        when money.currency is null then 'no_such_currency'
        when money.state = 'too_fine' then 'too_fine'
        when recorded_at >= until then 'unclaimed'
        else 'unregistered'
    end;
end $$;

-- The customer whose registration lets an event be applied; it goes as soon as the event waits no more.
alter table loyalty.inbox add column waits_for_customer text,
    add constraint inbox_names_nobody_in_vain check (waits_for_customer is null or state = 'waiting');

create index inbox_waits_for_customer on loyalty.inbox (waits_for_customer) where waits_for_customer is not null;

-- When the points of a transaction can be spent that real time posted at once: so many days after the sale, by the rules of the month the
-- sale is booked to. A refund follows its sale, a reversal the row that it takes back. null: as the lot of the month's close.
create function loyalty.live_available_at(of_row loyalty.transactions) returns timestamptz language sql stable as $$
    select loyalty.days_later(least(s.occurred_at, s.recorded_at), v.pending_days)
    from loyalty.transactions as s
    inner join loyalty.rules_in_force as v on v.from_period <= s.booked_period and s.booked_period < v.until_period
    left join loyalty.corrections as c on of_row.kind = 'sale_reversal' and c.reversal_no = of_row.transaction_no
    where s.member_no = of_row.member_no and s.live and s.kind = 'sale'
        and s.booked_period = coalesce(c.corrected_period, of_row.sale_period, of_row.booked_period)
        and s.transaction_no = coalesce(c.corrected_no, of_row.sale_no, of_row.transaction_no)
$$;

-- Of months whose points are pending at an instant, what real time has posted that is not: exact points by the month of the sale, of the
-- rows booked from the first to the last of these months.
create function loyalty.no_longer_pending(first_member bigint, stop_member bigint, months date [], last_booked date, at timestamptz)
returns table (member_no bigint, sale_period date, exact numeric) language sql stable as $$
    select t.member_no, t.sale_period, sum(t.eligible * t.points_per_unit)
    from loyalty.rated_transactions as t
    inner join loyalty.transactions as w
        on t.booked_period = w.booked_period and t.member_no = w.member_no and t.transaction_no = w.transaction_no
    where t.booked_period >= (select min(m) from unnest(months) as m) and t.booked_period <= last_booked
        and t.member_no >= first_member and t.member_no < stop_member
        and t.sale_period = any(months) and not t.unnamed and loyalty.live_available_at(w) <= at
    group by t.member_no, t.sale_period
$$;
-- Points for more than purchases: what makes a member due for them, each once by the key of loyalty.grants.

-- Secrets of this programme, made once: of the codes that locations show, of the hashes of cards, addresses and devices.
create table loyalty.secrets (
    name text primary key,
    secret bytea not null check (length(secret) = 32),
    made_at timestamptz not null
);

create table loyalty.locations (
    location_no integer generated always as identity primary key,
    name text not null unique check (length(name) between 1 and 200),
    added_at timestamptz not null
);

-- What tells one person who comes as two: only a keyed hash of a card, an address or a device is kept.
create table loyalty.member_traits (
    member_no bigint not null,
    trait text not null check (trait in ('card', 'address', 'device')),
    digest bytea not null check (length(digest) = 32),
    primary key (member_no, trait, digest)
);

-- Who referred whom: a member is referred once. What it brings is what the rules said when it was made.
create table loyalty.referrals (
    referral_no bigint generated always as identity primary key,
    referrer_no bigint not null,
    referred_no bigint not null,
    made_at timestamptz not null,
    year integer not null,
    referrer_points bigint not null check (referrer_points >= 0),
    referred_points bigint not null check (referred_points >= 0),
    year_max integer check (year_max > 0),
    state text not null default 'open' check (state in ('open', 'paid', 'refused')),
    reason text,
    referrer_paid boolean not null default false,
    settled_at timestamptz,
    constraint referrals_once unique (referred_no),
    constraint referrals_of_two check (referrer_no <> referred_no),
    check ((state = 'open') = (settled_at is null)),
    check (state = 'paid' or not referrer_paid)
);

comment on column loyalty.referrals.year is 'in which it was made, in the programme''s zone: year_max counts the referrals of a year that are paid';
comment on column loyalty.referrals.referrer_paid is 'false beyond year_max, and where the rules gave the referrer nothing';

create index referrals_open on loyalty.referrals (referred_no) where state = 'open';
create index referrals_of_referrer on loyalty.referrals (referrer_no, year) where referrer_paid;

-- Up to which day the daily run has looked: it looks at that day again, since not all of it had happened.
create table loyalty.milestone_marks (
    only_one boolean primary key default true check (only_one),
    through date not null
);

-- Visits in closed months, counted from the month on from which the rules reward them; those in open months are counted each time.
create table loyalty.visit_totals (
    since date not null,
    member_no bigint not null,
    visits bigint not null check (visits > 0),
    primary key (since, member_no)
);

create table loyalty.visit_marks (
    since date primary key,
    through date not null
);

comment on column loyalty.visit_marks.through is 'the newest month that visit_totals have counted';

-- Month and day as a number: 229 for 29 February.
create function loyalty.day_of_year(day date) returns integer language sql immutable parallel safe as $$
    select (extract(month from day) * 100 + extract(day from day))::integer
$$;

-- The days given with the dates that are celebrated on each: 28 February of a common year is the 29th's too.
create function loyalty.celebrated(days date [], given bigint [])
returns table (day date, day_of_year integer, points bigint, starts_at timestamptz) language sql stable as $$
    select d.day, loyalty.day_of_year(d.day), d.points, loyalty.day_start(d.day)
    from unnest(days, given) as d (day, points)
    where d.points > 0
    union all
    select d.day, 229, d.points, loyalty.day_start(d.day)
    from unnest(days, given) as d (day, points)
    where d.points > 0 and loyalty.day_of_year(d.day) = 228 and loyalty.day_of_year(d.day + 1) = 301
$$;

-- Days on which members of a range bought, counted by the month they are booked to, so that a closed month's count stays. A sale that
-- is corrected stays the visit it was. With visits_each only members who may have reached a milestone with them: most have not, and
-- their sales are counted without a look at the day.
create function loyalty.visits_booked(
    first_member bigint, stop_member bigint, since date, first_period date, stop_period date, visits_each integer
) returns table (member_no bigint, before bigint, visits bigint) language sql stable as $$
    with possible as materialized (
        select t.member_no, coalesce(f.visits, 0) as before
        from (
            select s.member_no, count(*) as sales from loyalty.transactions as s
            where s.booked_period >= first_period and s.booked_period < stop_period
                and s.member_no >= first_member and s.member_no < stop_member and s.kind = 'sale'
            group by s.member_no
        ) as t
        left join loyalty.visit_totals as f on f.since = visits_booked.since and t.member_no = f.member_no
        where visits_each is null or (coalesce(f.visits, 0) + t.sales) / visits_each > coalesce(f.visits, 0) / visits_each
    )

    select v.member_no, v.before, count(*)
    from (
        select distinct t.booked_period, t.member_no, m.before, (t.occurred_at at time zone p.time_zone)::date as day
        from loyalty.transactions as t
        inner join possible as m on t.member_no = m.member_no
        cross join loyalty.programme as p
        where t.booked_period >= first_period and t.booked_period < stop_period
            and t.member_no >= first_member and t.member_no < stop_member
            and t.kind = 'sale'
            and t.transaction_no not in (select c.replacement_no from loyalty.corrections as c)
    ) as v
    group by v.member_no, v.before
$$;

-- Who is due for what of a trigger, members of a range, whether it is granted already or not. days and given: for which days how many
-- points (registration, birthday, anniversary: each day looked at; profile: any one day; visits: the first month that counts, and the
-- first that doesn't any more). each: how many visits are a milestone.
create function loyalty.due_grants(
    wanted loyalty.entry_kind, first_member bigint, stop_member bigint, days date [], given bigint [], visits_each integer
) returns table (member_no bigint, occasion text, points bigint) language plpgsql stable as $$
#variable_conflict use_column
begin
    case wanted
        when 'registration' then
            return query
            select m.member_no, 'once', d.points
            from loyalty.programme as p
            cross join loyalty.members as m
            inner join unnest(days, given) as d (day, points) on d.day = (m.enrolled_at at time zone p.time_zone)::date
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null and d.points > 0
                and m.enrolled_at >= (select loyalty.day_start(min(x)) from unnest(days) as x)
                and m.enrolled_at < (select loyalty.day_start(max(x) + 1) from unnest(days) as x);
        when 'profile' then
            return query
            select m.member_no, 'once', given[1]
            from loyalty.members as m
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null
                and m.email is not null and m.phone is not null and m.birthday is not null
                and m.first_name is not null and m.last_name is not null;
        when 'birthday' then
            return query
            select m.member_no, extract(year from c.day)::text, c.points
            from loyalty.celebrated(days, given) as c
            inner join loyalty.members as m on c.day_of_year = loyalty.day_of_year(m.birthday)
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null
                and m.birthday < c.day and m.enrolled_at < c.starts_at;
        when 'anniversary' then
            return query
            select m.member_no, extract(year from c.day)::text, c.points
            from loyalty.programme as p
            cross join loyalty.members as m
            cross join lateral (
                select coalesce(m.joined_on, (m.enrolled_at at time zone p.time_zone)::date) as joined_on
            ) as j
            inner join loyalty.celebrated(days, given) as c on c.day_of_year = loyalty.day_of_year(j.joined_on)
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null
                and j.joined_on < c.day and m.enrolled_at < c.starts_at;
        when 'visits' then
            return query
            select
                v.member_no,
                case when days[1] > '0001-01-01' then to_char(days[1], 'YYYY-MM ') else '' end || milestone,
                given[1]
            from loyalty.visits_booked(
                first_member, stop_member, days[1],
                coalesce(
                    (select (k.through + interval '1 month')::date from loyalty.visit_marks as k where k.since = days[1]), days[1]
                ),
                days[2], visits_each
            ) as v
            inner join loyalty.members as m on v.member_no = m.member_no
            cross join lateral generate_series(
                (v.before / visits_each + 1) * visits_each, v.before + v.visits, visits_each
            ) as milestone
            where m.erased_at is null and m.merged_into is null;
    end case;
end $$;

-- Grants what members of a range are due for and neither they nor who is merged into them have yet, their accounts locked first and in order; how many. They are posted by
-- loyalty.post_grants, in the same transaction. Again: grants_once refuses a second one.
create function loyalty.grant_due(
    wanted loyalty.entry_kind, first_member bigint, stop_member bigint, days date [], given bigint [], visits_each integer,
    at timestamptz
) returns bigint language plpgsql as $$
#variable_conflict use_column
declare
    granted bigint;
begin
    with due as materialized (
        select d.* from loyalty.due_grants(wanted, first_member, stop_member, days, given, visits_each) as d
        where not exists (
            select from loyalty.grants as g
            where g.member_no = d.member_no and g.kind = wanted and g.occasion = d.occasion
        ) and not exists (
            select from loyalty.members as f
            inner join loyalty.grants as g on f.member_no = g.member_no
            where f.merged_into = d.member_no and g.kind = wanted and g.occasion = d.occasion
        )
    ),

    locked as materialized (
        select a.member_no from loyalty.accounts as a
        where a.member_no in (select d.member_no from due as d)
        order by a.member_no
        for update
    )

    insert into loyalty.grants (member_no, kind, occasion, points, granted_at)
    select d.member_no, wanted, d.occasion, d.points, grant_due.at
    from due as d
    inner join locked as l on d.member_no = l.member_no
    order by d.member_no, d.occasion
    on conflict do nothing;
    get diagnostics granted = row_count;
    return granted;
end $$;

-- Whether two members are one person by what is known of them: the name of what they share, or null.
create function loyalty.shared_by(one bigint, other bigint) returns text language sql stable as $$
    select coalesce(
        (
            select case
                when lower(a.email) = lower(b.email) then 'e-mail address'
                when regexp_replace(a.phone, '[^0-9]', '', 'g') = regexp_replace(b.phone, '[^0-9]', '', 'g') then 'phone number'
            end
            from loyalty.members as a
            inner join loyalty.members as b on b.member_no = other
            where a.member_no = one
        ),
        (
            select a.trait from loyalty.member_traits as a
            inner join loyalty.member_traits as b on a.trait = b.trait and a.digest = b.digest
            where a.member_no = one and b.member_no = other
            order by a.trait limit 1
        )
    )
$$;

-- Whether a member has bought something for money at an instant or later; from the beginning, with none.
create function loyalty.has_bought(member bigint, since timestamptz) returns boolean language sql stable as $$
    select exists (
        select from loyalty.periods as p
        inner join loyalty.transactions as t on p.period = t.booked_period
        where t.member_no = member and t.kind = 'sale' and t.amount > 0
            and (since is null or (p.period >= loyalty.period_of(since) and t.occurred_at >= since))
    )
$$;

-- Records that one member referred another; the state says refused and why, where it can't be. Accounts are locked first, in order.
create function loyalty.refer(
    referrer bigint, referred bigint, referrer_points bigint, referred_points bigint, year_max integer, at timestamptz
) returns table (referral_no bigint, refusal text) language plpgsql as $$
#variable_conflict use_variable
begin
    perform from loyalty.accounts as a where a.member_no in (referrer, referred) order by a.member_no for update;
    refusal := case
        when referrer = referred then 'a member can''t refer themselves'
        when exists (select from loyalty.referrals as r where r.referred_no = referred) then 'the member was referred before'
        when exists (
            select from loyalty.referrals as r where r.referrer_no = referred and r.referred_no = referrer
        ) then 'the two would refer each other'
        when loyalty.has_bought(referred, null) then 'the member has bought before'
        when loyalty.shared_by(referrer, referred) is not null
            then 'both have the same ' || loyalty.shared_by(referrer, referred) || ': a member can''t refer themselves'
    end;
    if refusal is null then
        insert into loyalty.referrals (
            referrer_no, referred_no, made_at, year, referrer_points, referred_points, year_max
        )
        select
            referrer, referred, at, extract(year from at at time zone p.time_zone), referrer_points, referred_points, year_max
        from loyalty.programme as p
        returning referrals.referral_no into referral_no;
    end if;
    return next;
end $$;

-- Locks, in order, the accounts of both sides of open referrals.
create function loyalty.lock_referrals(wanted bigint []) returns void language sql as $$
    select from loyalty.accounts as a
    where a.member_no in (
        select s.member_no from loyalty.referrals as r
        cross join lateral (values (r.referrer_no), (r.referred_no)) as s (member_no)
        where r.referral_no = any(wanted)
    )
    order by a.member_no
    for update
$$;

-- Settles those of these referrals whose referred member has bought since: grants to both sides, to the referrer up to the year's most;
-- refused where the two have turned out to be one. The range of members to post for; null where nothing is granted. Again: one that is
-- settled stays as it is, and grants_once refuses a second grant.
create function loyalty.settle_referrals(wanted bigint [], at timestamptz, out first_member bigint, out stop_member bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    due bigint [];
begin
    perform loyalty.lock_referrals(wanted);
    due := array(
        select r.referral_no from loyalty.referrals as r
        where r.referral_no = any(wanted) and r.state = 'open' and loyalty.has_bought(r.referred_no, r.made_at)
        order by r.referral_no
    );
    update loyalty.referrals as r
    set state = 'refused', settled_at = at, reason = 'both have the same ' || loyalty.shared_by(r.referrer_no, r.referred_no)
    where r.referral_no = any(due) and loyalty.shared_by(r.referrer_no, r.referred_no) is not null;
    update loyalty.referrals as r
    set state = 'paid', settled_at = at, referrer_paid = p.counts
    from (
        select
            x.referral_no,
            x.referrer_points > 0 and m.erased_at is null and (
                x.year_max is null
                or row_number() over (
                    partition by x.referrer_no, x.year, x.referrer_points > 0 order by x.referral_no
                ) + (
                    select count(*) from loyalty.referrals as y
                    where y.referrer_no = any(loyalty.family_of(x.referrer_no)) and y.year = x.year and y.referrer_paid
                ) <= x.year_max
            ) as counts
        from loyalty.referrals as x
        inner join loyalty.members as m on x.referrer_no = m.member_no
        where x.referral_no = any(due) and x.state = 'open'
    ) as p
    where r.referral_no = p.referral_no;
    with given as (
        insert into loyalty.grants (member_no, kind, occasion, points, granted_at)
        select s.member_no, 'referral', r.referral_no::text, s.points, at
        from loyalty.referrals as r
        cross join lateral (
            values (r.referrer_no, case when r.referrer_paid then r.referrer_points else 0 end), (r.referred_no, r.referred_points)
        ) as s (member_no, points)
        where r.referral_no = any(due) and r.state = 'paid' and s.points > 0
        on conflict do nothing
        returning member_no
    )

    select min(g.member_no), max(g.member_no) + 1 into first_member, stop_member from given as g;
end $$;

-- What staff gave or took by hand. alone_max is what the rules of the day let one person do, whatever is inserted; above it a second
-- person stands in the row before its points are posted: no statement gets round that.
create table loyalty.adjustments (
    adjustment_no bigint generated always as identity primary key,
    member_no bigint not null,
    points bigint not null check (points <> 0),
    reason text not null check (length(reason) between 1 and 30),
    note text check (length(note) <= 500),
    asked_by text not null,
    asked_at timestamptz not null,
    alone_max bigint not null,
    approval_no bigint unique references loyalty.approvals,
    approved_by text,
    posted_at timestamptz,
    posted_period date,
    posted_cause bigint,
    request text unique check (length(request) between 1 and 80),
    check ((posted_at is null) = (posted_period is null) and (posted_at is null) = (posted_cause is null)),
    constraint adjustments_need_two_people check (
        posted_at is null or abs(points) <= alone_max
        or (approval_no is not null and approved_by is not null and lower(approved_by) <> lower(asked_by))
    )
);

comment on column loyalty.adjustments.posted_cause is 'of its entry, in the month posted_period';
comment on column loyalty.adjustments.request is 'by what it was asked, where that may ask again: a run of Prefect';

create index adjustments_of_member on loyalty.adjustments (member_no, adjustment_no);

create function loyalty.limit_adjustment() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.alone_max := (select v.adjust_alone_max from loyalty.rules_at(new.asked_at) as v);
    elsif (new.member_no, new.points, new.asked_by, new.asked_at, new.alone_max, new.reason)
        is distinct from (old.member_no, old.points, old.asked_by, old.asked_at, old.alone_max, old.reason)
        or (old.posted_at is not null and to_jsonb(new) - 'note' <> to_jsonb(old) - 'note') then
        raise exception 'an adjustment is posted as it was asked, once' using errcode = 'LY001';
    end if;
    return new;
end $$;

create trigger adjustments_limited before insert or update on loyalty.adjustments
for each row execute function loyalty.limit_adjustment();

-- A debit by hand stands in the working table of run -1, as a refund's does, and names its kind.
alter table loyalty.work_points add column kind loyalty.entry_kind;

comment on column loyalty.work_points.kind is 'of the debit''s entry, where the sales'' period doesn''t say it';
-- Segments: what members' purchases say of them, computed for all at once as of an instant. Nothing of it is a fact of its own: computing
-- again makes it anew, and a member who never bought has no row.

create table loyalty.segments (
    member_no bigint primary key,
    as_of timestamptz not null,
    purchases integer not null,
    last_purchase_at timestamptz,
    frequency integer not null,
    monetary bigint not null,
    recency_score smallint check (recency_score between 1 and 5),
    frequency_score smallint check (frequency_score between 1 and 5),
    monetary_score smallint check (monetary_score between 1 and 5),
    points_to_next bigint check (points_to_next > 0),
    active boolean not null,
    one_time boolean not null,
    at_risk boolean not null,
    lapsed boolean not null,
    near_threshold boolean not null,
    best boolean not null,
    check (active = (recency_score is not null) and active = (frequency_score is not null) and active = (monetary_score is not null)),
    check (not (active and lapsed))
);

comment on column loyalty.segments.purchases is 'ever; a sale that was corrected away is none, one that came back is';
comment on column loyalty.segments.frequency is 'purchases in the window of the active';
comment on column loyalty.segments.monetary is 'net eligible spend in that window, in minor units of the programme''s currency';
comment on column loyalty.segments.points_to_next is 'qualifying points that were missing to the next tier at the last close';

-- Whether a row of the above is in the segment of a name.
create function loyalty.in_segment(member loyalty.segments, name text) returns boolean language sql immutable parallel safe as $$
    select case name
        when 'active' then member.active
        when 'best' then member.best
        when 'one_time' then member.one_time
        when 'at_risk' then member.at_risk
        when 'lapsed' then member.lapsed
        when 'near_threshold' then member.near_threshold
        else false
    end
$$;

-- One row for each time that segments were computed, so that their sizes can be compared.
create table loyalty.segment_runs (
    as_of timestamptz primary key,
    computed_at timestamptz not null,
    counts jsonb not null
);

comment on column loyalty.segment_runs.counts is 'members by segment';
-- Campaigns: extra points, a multiplier or a personal voucher for chosen members and purchases, within a budget, measured against members
-- who are held out.

-- starts_at to ends_at is the campaign's time, begins_at the later of its start and its approval: what was bought before counts for nothing.
-- Null in a list means any. Money in minor units of the programme's currency.
create table loyalty.campaigns (
    campaign_no smallint generated always as identity primary key,
    name text not null unique check (length(name) between 1 and 40),
    document text not null,
    digest text not null,
    gives text not null check (gives in ('points', 'multiplier', 'voucher')),
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    points bigint check (points > 0),
    multiplier numeric check (multiplier > 1),
    voucher_amount bigint check (voucher_amount > 0),
    voucher_days integer check (voucher_days > 0),
    message text,
    budget bigint not null check (budget > 0),
    spent bigint not null default 0,
    member_cap bigint check (member_cap > 0),
    holdout numeric not null check (holdout >= 0 and holdout < 1),
    draw_key uuid not null default gen_random_uuid(),
    tiers text [],
    segments text [],
    recency smallint [],
    frequency smallint [],
    money smallint [],
    minimum bigint not null,
    locations text [],
    channels text [],
    weekdays smallint [],
    minutes smallint [],
    state text not null default 'asked' check (state in ('asked', 'running', 'stopped')),
    attempt integer not null default 1,
    asked_by text not null,
    asked_at timestamptz not null,
    note text not null default '' check (length(note) <= 500),
    figures jsonb not null,
    approval_no bigint references loyalty.approvals,
    begins_at timestamptz,
    stopped_at timestamptz,
    stopped_by text,
    constraint campaigns_keep_to_their_budget check (spent between 0 and budget),
    check (starts_at < ends_at),
    check ((state = 'asked') = (begins_at is null)),
    check ((state = 'stopped') = (stopped_at is not null)),
    check (num_nonnulls(points, multiplier, voucher_amount) = 1)
);

comment on column loyalty.campaigns.budget is 'points, of vouchers minor units';
comment on column loyalty.campaigns.spent is 'what was given; it never falls: what a refund takes back is not given again';
comment on column loyalty.campaigns.draw_key is 'decides with the member''s number who is held out';
comment on column loyalty.campaigns.weekdays is '1 is Monday, by the clock of the programme''s zone';
comment on column loyalty.campaigns.minutes is 'spans of the day, from and to in turn, in minutes of the local clock; to before from goes over midnight';
comment on column loyalty.campaigns.figures is 'what it would have brought in the weeks before, as it was when it was asked for';

-- Who is in a campaign: drawn once, and kept. Those held out get nothing, so that the others can be compared with them.
create table loyalty.campaign_members (
    campaign_no smallint not null references loyalty.campaigns on delete cascade,
    member_no bigint not null,
    held_out boolean not null,
    told boolean not null default false,
    voucher_code text unique,
    drawn_at timestamptz not null,
    primary key (campaign_no, member_no)
);

comment on column loyalty.campaign_members.told is 'the voucher is issued and the message queued, where the campaign has them';

-- A purchase counts for one campaign, once, for good. exact is what it would bring without rounding, budget and cap.
create table loyalty.campaign_awards (
    transaction_no bigint primary key,
    campaign_no smallint not null references loyalty.campaigns on delete cascade,
    member_no bigint not null,
    period date not null,
    exact numeric not null check (exact > 0),
    points bigint not null check (points >= 0),
    awarded_at timestamptz not null
);

comment on column loyalty.campaign_awards.period is 'the purchase is booked to it';

create index campaign_awards_of_member on loyalty.campaign_awards (member_no, campaign_no);

-- What refunds took back of an award, by the month of the refund; below zero where a refund was corrected and some comes back.
create table loyalty.campaign_take_backs (
    take_back_no bigint generated always as identity primary key,
    transaction_no bigint not null references loyalty.campaign_awards on delete cascade,
    period date not null,
    revision integer not null check (revision >= 1),
    member_no bigint not null,
    points bigint not null check (points <> 0),
    taken_at timestamptz not null,
    entry_id bigint,
    constraint campaign_take_backs_once unique (transaction_no, period, revision)
);

comment on column loyalty.campaign_take_backs.entry_id is 'the debit that posted it; null until it is posted, and where some comes back: that is a grant';

create index campaign_take_backs_due on loyalty.campaign_take_backs (member_no) where entry_id is null and points > 0;

-- The cause of the entry of a take-back, beyond every other one of its kind, of write-offs and of reversed expiries.
create function loyalty.campaign_cause(take_back_no bigint) returns bigint language sql immutable parallel safe as $$
    select 1000000000000000 + take_back_no
$$;

-- A number from 0 to 2^48 - 1 that a member draws in a campaign: always the same, and nobody can foresee it without the key.
create function loyalty.campaign_draw(draw_key uuid, member_no bigint) returns bigint language sql immutable parallel safe as $$
    select ('x' || left(encode(sha256(uuid_send(draw_key) || int8send(member_no)), 'hex'), 12))::bit(48)::bigint
$$;

-- Whether a moment of the local clock lies in one of the spans of the day; null spans are all day.
create function loyalty.in_spans(moment timestamp, spans smallint []) returns boolean language sql immutable parallel safe as $$
    select spans is null or exists (
        select from generate_series(1, cardinality(spans), 2) as place
        cross join lateral (
            select (extract(hour from moment) * 60 + extract(minute from moment))::smallint as minute
        ) as clock
        where case
            when spans[place] < spans[place + 1] then clock.minute >= spans[place] and clock.minute < spans[place + 1]
            else clock.minute >= spans[place] or clock.minute < spans[place + 1]
        end
    )
$$;

-- Until when purchases count for a campaign.
create function loyalty.campaign_until(campaign loyalty.campaigns) returns timestamptz language sql immutable parallel safe as $$
    select least(campaign.ends_at, campaign.stopped_at)
$$;

-- Until when a purchase of that time may become known, and be booked, and count.
create function loyalty.campaign_counts_until(campaign loyalty.campaigns) returns timestamptz
language sql immutable parallel safe as $$
    select loyalty.campaign_until(campaign) + interval '1440 hours'
$$;
-- By what a member is known beside the customer_id, and who was erased.

-- Platform ids belong to one member. An e-mail address or a telephone number may be several members': it then identifies nobody, and
-- the members are suggested for a merge.
create table loyalty.identifiers (
    kind text not null check (kind in ('platform', 'email', 'phone')),
    platform text not null default '' check ((platform <> '') = (kind = 'platform') and length(platform) <= 80),
    value text not null check (length(value) between 1 and 320),
    member_no bigint not null,
    origin_no bigint,
    primary key (kind, platform, value, member_no)
);

comment on column loyalty.identifiers.value is 'the platform''s id; the address in small letters; the number as E.164';

comment on column loyalty.identifiers.origin_no is 'of one that came by a merge: the member who had it';

create unique index identifiers_of_platforms on loyalty.identifiers (platform, value) where kind = 'platform';
create index identifiers_of_member on loyalty.identifiers (member_no);

create index members_merged on loyalty.members (merged_into) where merged_into is not null;

-- An e-mail address as it is compared: case is folded, nothing else. Null for none.
create function loyalty.folded_email(email text) returns text language sql immutable parallel safe as $$
    select lower(btrim(email))
$$;

-- Whether a telephone number is written as E.164 already, beyond doubt: a 0 among its first digits may be one to be dialled only.
create function loyalty.is_e164(phone text) returns boolean language sql immutable parallel safe as $$
    select phone collate "C" ~ '^[+][1-9]{4}[0-9]{4,11}$'
$$;

-- The number of the member that a customer_id leads to, also by way of a merge; null if there is none, or an erased one.
create function loyalty.member_called(wanted text) returns bigint language sql stable as $$
    select coalesce(m.merged_into, m.member_no) from loyalty.members as m
    where m.customer_id = wanted and m.erased_at is null
$$;

-- Who was erased, by a keyed hash of each identifier: a late event is recognised, and the hash tells nothing without the key. The key
-- is drawn from the server's cryptographic source with the first erasure.
create table loyalty.erasure_key (
    only_one boolean primary key default true check (only_one),
    secret bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);

create table loyalty.erased_identifiers (
    digest bytea primary key check (length(digest) = 32),
    member_no bigint not null
);

create index erased_identifiers_of_member on loyalty.erased_identifiers (member_no);

create function loyalty.erased_digest(kind text, platform text, value text) returns bytea language sql stable as $$
    select sha256(k.secret || sha256(k.secret || convert_to(kind || ' ' || platform || ' ' || value, 'UTF8')))
    from loyalty.erasure_key as k
$$;

create function loyalty.is_erased(kind text, platform text, value text) returns boolean language sql stable as $$
    select exists (
        select from loyalty.erased_identifiers as e where e.digest = loyalty.erased_digest(kind, platform, value)
    )
$$;

-- The members whose books are one person's: a member and all who are merged into it.
create function loyalty.family_of(member bigint) returns bigint [] language sql stable as $$
    select array_agg(m.member_no order by m.member_no) from loyalty.members as m
    where m.member_no = member or m.merged_into = member
$$;

-- Takes all that a member's lots hold, whatever their dates, by one entry; or, where the member owes, pays that by one. The points of
-- the entry, 0 if there is none. The caller holds the account and has recorded what has expired.
create function loyalty.clear_balance(
    member bigint, kind loyalty.entry_kind, cause bigint, reason text, month date, at timestamptz
) returns bigint language plpgsql as $$
#variable_conflict use_variable
declare
    cleared bigint;
    entry bigint;
begin
    select coalesce((select sum(d.owed) from loyalty.debts as d where d.member_no = member), 0) - coalesce((
        select sum(l.remaining) from loyalty.lots as l where l.member_no = member and l.remaining > 0
    ), 0) into cleared;
    if cleared = 0 then
        return 0;
    end if;
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reason)
    values (month, member, kind, cause, cleared, at, at, reason)
    returning entry_id into entry;
    if cleared > 0 then
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at)
        values (entry, member, month, cleared, 0, at);
        with paid as (
            delete from loyalty.debts as d where d.member_no = member returning d.entry_id, d.owed
        )

        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points)
        select member, entry, p.entry_id, p.owed from paid as p;
    else
        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points)
        select member, l.lot_no, entry, l.remaining from loyalty.lots as l
        where l.member_no = member and l.remaining > 0;
        update loyalty.lots as l set remaining = 0 where l.member_no = member and l.remaining > 0;
    end if;
    update loyalty.accounts as a set balance = a.balance + cleared where a.member_no = member;
    return cleared;
end $$;

-- Who was erased, when, and by whom.
create table loyalty.erasures (
    member_no bigint primary key,
    erased_at timestamptz not null,
    erased_by text not null check (length(erased_by) between 1 and 80)
);

-- Forfeits what an erased member has, or owes: points by an entry, vouchers, open reviews, queued messages. The points of the entry.
-- Again: nothing is left. The entry's cause counts the member's forfeits of the month.
create function loyalty.forfeit(member bigint, at timestamptz) returns bigint language plpgsql as $$
declare
    month constant date := loyalty.book(at);
begin
    update loyalty.vouchers as v set state = 'void' where v.member_no = member and v.state in ('issued', 'held');
    update loyalty.reviews as r
    set state = 'lapsed', decided_by = 'system', decided_at = forfeit.at, note = 'the member is erased'
    where r.member_no = member and r.state = 'open';
    update loyalty.outbox as o set state = 'withheld', reason = 'erased', finished_at = forfeit.at
    where o.member_no = member and o.state = 'queued';
    return loyalty.clear_balance(
        member, 'forfeit',
        (
            select count(*) from loyalty.entries as e
            where e.period = month and e.member_no = member and e.kind = 'forfeit'
        ),
        null, month, at
    );
end $$;

-- Takes a person's identity away: the fields, the customer_id, the identifiers, of which keyed hashes stay. The caller holds the account.
create function loyalty.forget(member bigint, by_whom text, at timestamptz) returns void language plpgsql as $$
begin
    perform loyalty.forget_beside(member, forget.at);
    insert into loyalty.erasure_key default values on conflict do nothing;
    insert into loyalty.erased_identifiers (digest, member_no)
    select loyalty.erased_digest(x.kind, x.platform, x.value), member
    from (
        select i.kind, i.platform, i.value from loyalty.identifiers as i where i.member_no = member
        union all
        select 'customer_id', '', m.customer_id from loyalty.members as m where m.member_no = member
    ) as x
    on conflict do nothing;
    delete from loyalty.identifiers as i where i.member_no = member;
    update loyalty.members as m
    set
        customer_id = 'erased-' || m.member_no || case
            when exists (select from loyalty.members as o where o.customer_id = 'erased-' || m.member_no)
                then ' ' || gen_random_uuid()
            else ''
        end,
        email = null, phone = null, first_name = null, last_name = null, birthday = null, joined_on = null, time_zone = null,
        language = null, email_consent = false, sms_consent = false, contact_changed_at = null, erased_at = forget.at
    where m.member_no = member;
    update loyalty.reviews as r set note = null where r.member_no = member and r.state <> 'open';
    insert into loyalty.erasures (member_no, erased_at, erased_by) values (member, forget.at, by_whom);
end $$;
-- Two members who are one person, and that undone. The transactions of the lost one become the kept one's, each rated as it was; the
-- entries and the statements stay where they are, and the points go over by entries of kind merge.

create table loyalty.merges (
    merge_no bigint generated always as identity primary key,
    kept_no bigint not null,
    lost_no bigint not null check (lost_no <> kept_no),
    merged_by text not null check (length(merged_by) between 1 and 80),
    merged_at timestamptz not null,
    filled text [] not null default '{}',
    lost_email_consent boolean not null,
    lost_sms_consent boolean not null,
    lost_held_until date,
    tier_moved_at timestamptz,
    undone_by text check (length(undone_by) between 1 and 80),
    undone_at timestamptz,
    check ((undone_by is null) = (undone_at is null))
);

comment on column loyalty.merges.filled is 'fields of the kept member that the lost one''s filled';
comment on column loyalty.merges.lost_held_until is 'until when the lost member''s tier was safe; while merged it does not move';
comment on column loyalty.merges.tier_moved_at is 'when the kept member took the lost one''s higher tier';

create unique index merges_open on loyalty.merges (lost_no) where undone_at is null;
create index merges_of_kept on loyalty.merges (kept_no);

-- Each time that something goes over: by the merge, by its undoing, or later, when points come back to the lost member.
create table loyalty.transfers (
    transfer_no bigint generated always as identity primary key,
    merge_no bigint not null references loyalty.merges,
    from_no bigint not null,
    to_no bigint not null,
    period date not null,
    at timestamptz not null
);

create index transfers_of_merge on loyalty.transfers (merge_no);

-- The state in which a transfer left either member, as a statement has it, for months from from_period on; and the points earned in
-- closed months that have gone over with their exact sums.
create table loyalty.transfer_states (
    transfer_no bigint not null references loyalty.transfers,
    member_no bigint not null,
    from_period date not null,
    earned_points bigint not null,
    stated_period date,
    exact_sum numeric not null,
    exact_before_window numeric not null,
    exact_unnamed numeric not null,
    exact_window numeric [] not null,
    primary key (transfer_no, member_no)
);

create index transfer_states_of_member on loyalty.transfer_states (member_no);

-- What real time had posted in a month not closed yet, and the close of the month is to count as another member's: a take-back under
-- its sales' period, all else under the month itself.
create table loyalty.moved_earnings (
    transfer_no bigint not null references loyalty.transfers,
    member_no bigint not null,
    period date not null,
    sale_period date not null,
    points bigint not null,
    primary key (transfer_no, member_no, period, sale_period)
);

create index moved_earnings_of_period on loyalty.moved_earnings (period, member_no);

-- Which transactions went over; stated: the statement of their month was the member's from whom they went.
create table loyalty.moved_transactions (
    transfer_no bigint not null references loyalty.transfers,
    transaction_no bigint not null,
    from_no bigint not null,
    stated boolean not null,
    primary key (transfer_no, transaction_no)
);

create index moved_transactions_stated on loyalty.moved_transactions (transaction_no) where stated;

-- In whose statement a transaction stands that has gone over since.
create view loyalty.transactions_stated as
select distinct on (m.transaction_no)
    m.transaction_no,
    m.from_no as member_no
from loyalty.moved_transactions as m
where m.stated
order by m.transaction_no asc, m.transfer_no asc;

create table loyalty.moved_lots (
    transfer_no bigint not null references loyalty.transfers,
    from_lot_no bigint not null,
    to_lot_no bigint not null,
    points bigint not null check (points > 0),
    primary key (transfer_no, to_lot_no)
);

-- Exact points as a statement keeps them: in all, older than its window, of no sale, and by the period of the sale.
create type loyalty.exact_state as (
    stated_period date,
    exact_sum numeric,
    exact_before_window numeric,
    exact_unnamed numeric,
    exact_window numeric []
);

-- A state as it is when so many months later nothing has come.
create function loyalty.exact_state_at(state loyalty.exact_state, wanted date) returns loyalty.exact_state
language sql immutable as $$
    select case
        when wanted is null or state.stated_period is null or wanted = state.stated_period
            then (
                wanted, state.exact_sum, state.exact_before_window, state.exact_unnamed, state.exact_window
            )::loyalty.exact_state
        else (
            wanted,
            state.exact_sum,
            state.exact_before_window + coalesce((
                select sum(w.exact) from unnest(state.exact_window) with ordinality as w (exact, age) where w.age + m.months > 12
            ), 0),
            state.exact_unnamed,
            (array_fill(0::numeric, array[least(m.months, 12)]) || state.exact_window)[1 : 12]
        )::loyalty.exact_state
    end
    from (
        select ((extract(year from wanted) - extract(year from state.stated_period)) * 12
            + extract(month from wanted) - extract(month from state.stated_period))::integer as months
    ) as m
$$;

-- Two states of the same month added, or the second one taken away.
create function loyalty.add_exact_states(one loyalty.exact_state, other loyalty.exact_state, sign integer)
returns loyalty.exact_state language sql immutable as $$
    select (
        one.stated_period,
        one.exact_sum + sign * other.exact_sum,
        one.exact_before_window + sign * other.exact_before_window,
        one.exact_unnamed + sign * other.exact_unnamed,
        array(
            select coalesce(one.exact_window[age], 0) + sign * coalesce(other.exact_window[age], 0)
            from generate_series(1, greatest(cardinality(one.exact_window), cardinality(other.exact_window))) as age
            order by age
        )
    )::loyalty.exact_state
$$;

-- The exact points of some of a member's transactions, of those in closed months, as a statement of the month given would keep them.
create function loyalty.exact_state_of(member bigint, moving bigint [], stated date, closed date) returns loyalty.exact_state
language sql stable as $$
    with rated as materialized (
        select
            t.sale_period,
            t.unnamed and t.sale_period = t.booked_period as unnamed,
            sum(t.eligible * t.points_per_unit) as exact
        from loyalty.rated_transactions as t
        where t.member_no = member and t.transaction_no = any(moving)
            and t.booked_period in (select p.period from loyalty.periods as p where p.period <= closed)
        group by t.sale_period, t.unnamed and t.sale_period = t.booked_period
    )

    select (
        stated,
        coalesce((select sum(r.exact) from rated as r), 0),
        coalesce((
            select sum(r.exact) from rated as r where not r.unnamed and r.sale_period <= stated - interval '12 months'
        ), 0),
        coalesce((select sum(r.exact) from rated as r where r.unnamed), 0),
        case when stated is null then '{}' else array(
            select coalesce((
                select sum(r.exact) from rated as r
                where not r.unnamed and r.sale_period = (stated - make_interval(months => slot.age - 1))::date
            ), 0)
            from generate_series(1, 12) as slot (age)
            order by slot.age
        ) end
    )::loyalty.exact_state
$$;

-- Brings what real time counts as posted in months not closed in step with a member's exact sums as they are now: each month's is the
-- floor through it less the floor before it. The differences are kept for the close, take-backs beside. How many points they are.
create function loyalty.count_anew(transfer bigint, member bigint, exact_sum numeric) returns bigint language sql as $$
    with running as (
        select
            s.period,
            s.posted,
            (
                floor(count_anew.exact_sum + sum(s.exact) over (order by s.period))
                - floor(count_anew.exact_sum + sum(s.exact) over (order by s.period) - s.exact)
            )::bigint as due
        from loyalty.till_sums as s
        where s.member_no = member
    ),

    counted as (
        update loyalty.till_sums as s set posted = r.due
        from running as r
        where s.member_no = member and s.period = r.period and s.posted <> r.due
    ),

    kept as (
        insert into loyalty.moved_earnings (transfer_no, member_no, period, sale_period, points)
        select
            transfer, member, r.period, r.period,
            r.due - r.posted - coalesce((
                select sum(o.points) from loyalty.moved_earnings as o
                where o.transfer_no = transfer and o.member_no = member and o.period = r.period
            ), 0)
        from running as r
        returning points
    )

    select coalesce(sum(r.due - r.posted), 0)::bigint from running as r
$$;

-- Moves transactions from one member to another, both of whose accounts the caller holds, with all that is counted of them. How many
-- points appear (or, below zero, are gone) by adding the exact sums: the caller posts them.
create function loyalty.move_transactions(transfer loyalty.transfers, moving bigint []) returns bigint language plpgsql as $$
#variable_conflict use_variable
declare
    closed constant date := (select max(p.period) from loyalty.periods as p where p.state = 'closed');
    next_open constant date := coalesce((closed + interval '1 month')::date, '-infinity');
    months constant date [] := array(select p.period from loyalty.periods as p);
    family constant bigint [] := loyalty.family_of(transfer.from_no) || loyalty.family_of(transfer.to_no);
    giver loyalty.accounts;
    taker loyalty.accounts;
    stated date;
    moved loyalty.exact_state;
    left_over loyalty.exact_state;
    joined loyalty.exact_state;
    appear bigint;
begin
    select a.* into giver from loyalty.accounts as a where a.member_no = transfer.from_no;
    select a.* into taker from loyalty.accounts as a where a.member_no = transfer.to_no;
    stated := greatest(giver.stated_period, taker.stated_period);
    moved := loyalty.exact_state_of(transfer.from_no, moving, stated, closed);
    left_over := loyalty.add_exact_states(loyalty.exact_state_at((
        giver.stated_period, giver.exact_sum, giver.exact_before_window, giver.exact_unnamed, giver.exact_window
    )::loyalty.exact_state, stated), moved, -1);
    joined := loyalty.add_exact_states(loyalty.exact_state_at((
        taker.stated_period, taker.exact_sum, taker.exact_before_window, taker.exact_unnamed, taker.exact_window
    )::loyalty.exact_state, stated), moved, 1);

    insert into loyalty.moved_transactions (transfer_no, transaction_no, from_no, stated)
    select transfer.transfer_no, t.transaction_no, t.member_no, coalesce(t.booked_period <= closed, false)
    from loyalty.transactions as t
    where t.booked_period = any(months) and t.member_no = transfer.from_no and t.transaction_no = any(moving);

    -- what real time has rated of them; and what it has taken back of closed months' sales
    with live as (
        select t.booked_period as period, sum(t.eligible * t.points_per_unit) as exact
        from loyalty.rated_transactions as t
        inner join loyalty.transactions as x
            on t.booked_period = x.booked_period and t.member_no = x.member_no and t.transaction_no = x.transaction_no
        where t.booked_period = any(months) and t.member_no = transfer.from_no and t.transaction_no = any(moving) and t.booked_period >= next_open and x.live
        group by t.booked_period
    ),

    given as (
        update loyalty.till_sums as s set exact = s.exact - l.exact
        from live as l where s.member_no = transfer.from_no and s.period = l.period
    )

    insert into loyalty.till_sums as s (member_no, period, exact, posted)
    select transfer.to_no, l.period, l.exact, 0 from live as l
    on conflict (member_no, period) do update set exact = s.exact + excluded.exact;

    insert into loyalty.moved_earnings (transfer_no, member_no, period, sale_period, points)
    select transfer.transfer_no, side.member_no, b.period, b.sale_period, side.sign * b.points
    from (
        select t.booked_period as period, least(t.sale_period, t.booked_period) as sale_period, sum(e.points) as points
        from loyalty.transactions as t
        inner join loyalty.entries as e
            on t.booked_period = e.period and e.member_no = any(family) and e.kind = 'take_back' and e.cause = -t.transaction_no
        where t.booked_period = any(months) and t.member_no = transfer.from_no and t.transaction_no = any(moving) and t.booked_period >= next_open
            and t.sale_period < t.booked_period
        group by t.booked_period, least(t.sale_period, t.booked_period)
    ) as b
    cross join (values (transfer.from_no, -1), (transfer.to_no, 1)) as side (member_no, sign);

    -- each stays rated as it was
    update loyalty.transactions as t
    set
        member_no = transfer.to_no,
        merged_multiplier = coalesce(t.merged_multiplier, r.points_per_unit / nullif(r.rate_per_unit, 0))
    from (
        select o.booked_period, o.transaction_no, o.points_per_unit, o.rate_per_unit, o.member_no
        from loyalty.rated_transactions as o
        where o.booked_period = any(months) and o.member_no = transfer.from_no and o.transaction_no = any(moving)
    ) as r
    where t.booked_period = r.booked_period and t.member_no = r.member_no and t.transaction_no = r.transaction_no;
    update loyalty.transaction_keys as k set member_no = transfer.to_no
    from loyalty.transactions as t
    where t.booked_period = any(months) and t.member_no = transfer.to_no and t.transaction_no = any(moving)
        and k.source_no = t.source_no and k.transaction_id = t.transaction_id and k.transaction_no = t.transaction_no;
    update loyalty.corrections as c set member_no = transfer.to_no
    where c.member_no = transfer.from_no and c.corrected_no = any(moving);
    update loyalty.corrections as c set replacement_member_no = transfer.to_no
    where c.replacement_member_no = transfer.from_no and c.replacement_no = any(moving);

    appear := floor(left_over.exact_sum) - floor(giver.exact_sum) + floor(joined.exact_sum) - floor(taker.exact_sum)
        + loyalty.count_anew(transfer.transfer_no, transfer.from_no, left_over.exact_sum)
        + loyalty.count_anew(transfer.transfer_no, transfer.to_no, joined.exact_sum);
    insert into loyalty.transfer_states (
        transfer_no, member_no, from_period, earned_points,
        stated_period, exact_sum, exact_before_window, exact_unnamed, exact_window
    )
    values
    (
        transfer.transfer_no, transfer.from_no, next_open, floor(left_over.exact_sum) - floor(giver.exact_sum),
        left_over.stated_period, left_over.exact_sum, left_over.exact_before_window, left_over.exact_unnamed, left_over.exact_window
    ),
    (
        transfer.transfer_no, transfer.to_no, next_open, floor(joined.exact_sum) - floor(taker.exact_sum),
        joined.stated_period, joined.exact_sum, joined.exact_before_window, joined.exact_unnamed, joined.exact_window
    );
    update loyalty.accounts as a
    set
        stated_period = s.stated_period,
        exact_sum = s.exact_sum,
        exact_before_window = s.exact_before_window,
        exact_unnamed = s.exact_unnamed,
        exact_window = s.exact_window
    from loyalty.transfer_states as s
    where s.transfer_no = transfer.transfer_no and a.member_no = s.member_no;
    return appear;
end $$;

-- Moves lots, all or those named, with their dates, and with all of them what is owed; each by an entry of kind merge, whose cause is the
-- transfer's number and its own place in it, and one entry on the other side. With fewer, the last lot comes with so many points less: they are gone. The caller holds both accounts, and pays debts
-- after it.
create function loyalty.move_lots(transfer loyalty.transfers, named bigint [], fewer bigint) returns void language plpgsql as $$
#variable_conflict use_variable
declare
    lot loyalty.lots;
    owing loyalty.debts;
    next_cause bigint := transfer.transfer_no * 1000000;
    given bigint := 0;
    taken bigint := 0;
    points bigint;
    entry bigint;
    debit bigint;
begin
    for lot in
        select l.* from loyalty.lots as l
        where l.member_no = transfer.from_no and l.remaining > 0 and (named is null or l.lot_no = any(named))
        order by l.lot_no desc
    loop
        points := lot.remaining - least(fewer, lot.remaining);
        fewer := fewer - (lot.remaining - points);
        given := given + lot.remaining;
        taken := taken + points;
        continue when points = 0;
        next_cause := next_cause + 1;
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
        values (
            transfer.period, transfer.to_no, 'merge', next_cause, points, transfer.at, transfer.at, transfer.merge_no::text
        )
        returning entry_id into entry;
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
        values (entry, transfer.to_no, transfer.period, points, points, lot.available_at, lot.expires_at);
        insert into loyalty.moved_lots (transfer_no, from_lot_no, to_lot_no, points)
        values (transfer.transfer_no, lot.lot_no, entry, points);
    end loop;
    for owing in
        select d.* from loyalty.debts as d where d.member_no = transfer.from_no and named is null order by d.entry_id
    loop
        next_cause := next_cause + 1;
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
        values (
            transfer.period, transfer.to_no, 'merge', next_cause, -owing.owed, transfer.at, transfer.at,
            transfer.merge_no::text
        )
        returning entry_id into entry;
        insert into loyalty.debts (member_no, entry_id, owed) values (transfer.to_no, entry, owing.owed);
        taken := taken - owing.owed;
    end loop;
    update loyalty.accounts as a set balance = a.balance + taken where a.member_no = transfer.to_no;
    if named is null then
        perform loyalty.clear_balance(transfer.from_no, 'merge', -transfer.transfer_no, null, transfer.period, transfer.at);
    elsif given > 0 then
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
        values (
            transfer.period, transfer.from_no, 'merge', -transfer.transfer_no, -given, transfer.at, transfer.at,
            transfer.merge_no::text
        )
        returning entry_id into debit;
        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points)
        select l.member_no, l.lot_no, debit, l.remaining from loyalty.lots as l
        where l.member_no = transfer.from_no and l.remaining > 0 and l.lot_no = any(named);
        update loyalty.lots as l set remaining = 0
        where l.member_no = transfer.from_no and l.remaining > 0 and l.lot_no = any(named);
        update loyalty.accounts as a set balance = a.balance - given where a.member_no = transfer.from_no;
    end if;
end $$;

create function loyalty.begin_transfer(merge_no bigint, from_no bigint, to_no bigint, at timestamptz) returns loyalty.transfers
language plpgsql as $$
declare
    begun loyalty.transfers;
begin
    insert into loyalty.transfers (merge_no, from_no, to_no, period, at)
    values (merge_no, from_no, to_no, loyalty.book(at), at)
    returning * into begun;
    return begun;
end $$;

-- Posts a point that two exact sums give together and neither alone: good at once, for as long as the rules of the month say.
create function loyalty.post_appeared(transfer loyalty.transfers, points bigint) returns void language plpgsql as $$
#variable_conflict use_variable
declare
    entry bigint;
begin
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
    values (
        transfer.period, transfer.to_no, 'merge', -transfer.transfer_no, points, transfer.at, transfer.at, transfer.merge_no::text
    )
    returning entry_id into entry;
    insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
    select
        entry, transfer.to_no, transfer.period, points, points, transfer.at,
        loyalty.points_expire_at(transfer.period, v.expiry_months)
    from loyalty.rules_in_force as v where v.from_period <= transfer.period and transfer.period < v.until_period;
    update loyalty.accounts as a set balance = a.balance + points where a.member_no = transfer.to_no;
end $$;

-- The kept member takes the lost one's tier where that is the higher, and keeps a tier for as long as either would. When it moved.
create function loyalty.take_higher_tier(kept bigint, lost bigint, month date, at timestamptz) returns timestamptz
language plpgsql as $$
#variable_conflict use_variable
declare
    rules loyalty.rules_versions;
    one loyalty.accounts;
    other loyalty.accounts;
    moved_at timestamptz;
begin
    select v.* into rules from loyalty.rules_at(at) as v;
    select a.* into one from loyalty.accounts as a where a.member_no = kept;
    select a.* into other from loyalty.accounts as a where a.member_no = lost;
    if other.tier_no = one.tier_no then
        update loyalty.accounts as a set held_until = greatest(one.held_until, other.held_until) where a.member_no = kept;
    elsif (
        select o.rung > coalesce((
            select k.rung from loyalty.ladder as k where k.version = rules.version and k.tier_no = one.tier_no
        ), 1)
        from loyalty.ladder as o where o.version = rules.version and o.tier_no = other.tier_no
    ) then
        moved_at := greatest(
            at, one.tier_since, (select max(p.ends_at) from loyalty.periods as p where p.state = 'closed')
        ) + interval '1 microsecond';
        insert into loyalty.tier_history (
            member_no, effective_at, from_tier_no, tier_no, period, upward, rules_version, recorded_at
        )
        values (kept, moved_at, one.tier_no, other.tier_no, month, true, rules.version, at);
        update loyalty.accounts as a
        set tier_no = other.tier_no, tier_since = moved_at, held_until = other.held_until
        where a.member_no = kept;
    end if;
    return moved_at;
end $$;

-- The kept member's fields that are empty are filled with the lost one's, the stricter consent holds, and the identifiers go over. Which
-- fields were filled.
create function loyalty.join_people(kept bigint, lost bigint) returns text [] language plpgsql as $$
#variable_conflict use_variable
declare
    one loyalty.members;
    other loyalty.members;
begin
    select m.* into one from loyalty.members as m where m.member_no = kept;
    select m.* into other from loyalty.members as m where m.member_no = lost;
    update loyalty.members as m
    set
        email = coalesce(m.email, other.email), phone = coalesce(m.phone, other.phone),
        first_name = coalesce(m.first_name, other.first_name), last_name = coalesce(m.last_name, other.last_name),
        birthday = coalesce(m.birthday, other.birthday), joined_on = coalesce(m.joined_on, other.joined_on),
        time_zone = coalesce(m.time_zone, other.time_zone), language = coalesce(m.language, other.language),
        email_consent = m.email_consent and other.email_consent, sms_consent = m.sms_consent and other.sms_consent
    where m.member_no = kept;
    update loyalty.members as m set email_consent = false, sms_consent = false where m.member_no = lost;
    update loyalty.members as m set merged_into = kept where m.member_no = lost or m.merged_into = lost;
    delete from loyalty.identifiers as i
    where i.member_no = lost and exists (
        select from loyalty.identifiers as o
        where o.member_no = kept and o.kind = i.kind and o.platform = i.platform and o.value = i.value
    );
    update loyalty.identifiers as i set member_no = kept, origin_no = coalesce(i.origin_no, lost) where i.member_no = lost;
    update loyalty.reviews as r
    set state = 'lapsed', decided_by = 'system', decided_at = r.asked_at, note = 'the member is merged into another'
    where r.member_no = lost and r.state = 'open';
    return array(
        select f.name
        from (values
            ('email', one.email is null and other.email is not null), ('phone', one.phone is null and other.phone is not null),
            ('first_name', one.first_name is null and other.first_name is not null),
            ('last_name', one.last_name is null and other.last_name is not null),
            ('birthday', one.birthday is null and other.birthday is not null),
            ('joined_on', one.joined_on is null and other.joined_on is not null),
            ('time_zone', one.time_zone is null and other.time_zone is not null),
            ('language', one.language is null and other.language is not null)
        ) as f (name, filled)
        where f.filled
    );
end $$;

-- What a merge or its undoing did: the points that went over (below zero if they were owed), those that appeared, and how many
-- transactions.
create type loyalty.merge_answer as (
    merge_no bigint,
    points bigint,
    appeared bigint,
    transactions bigint
);

-- Merges one member into another; the caller holds both accounts, has recorded what time did to them, and pays debts after it.
create function loyalty.merge_members(kept bigint, lost bigint, by_whom text, at timestamptz) returns loyalty.merge_answer
language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.merge_answer;
    transfer loyalty.transfers;
    moving bigint [];
begin
    insert into loyalty.merges (kept_no, lost_no, merged_by, merged_at, lost_email_consent, lost_sms_consent, lost_held_until)
    select kept, lost, by_whom, at, m.email_consent, m.sms_consent, a.held_until
    from loyalty.members as m
    inner join loyalty.accounts as a on m.member_no = a.member_no
    where m.member_no = lost
    returning merge_no into answer.merge_no;
    transfer := loyalty.begin_transfer(answer.merge_no, lost, kept, at);
    answer.points := (select a.balance from loyalty.accounts as a where a.member_no = lost);
    moving := array(
        select t.transaction_no from loyalty.transactions as t
        where t.member_no = lost and t.booked_period in (select p.period from loyalty.periods as p)
    );
    answer.transactions := cardinality(moving);
    perform loyalty.join_referrals(kept, lost, at);
    answer.appeared := loyalty.move_transactions(transfer, moving);
    perform loyalty.move_beside(transfer, moving);
    perform loyalty.move_lots(transfer, null, greatest(-answer.appeared, 0));
    if answer.appeared > 0 then
        perform loyalty.post_appeared(transfer, answer.appeared);
    end if;
    perform loyalty.join_consents(kept, lost, at);
    perform loyalty.join_beside(kept, lost, at);
    update loyalty.merges as g
    set
        tier_moved_at = loyalty.take_higher_tier(kept, lost, transfer.period, at),
        filled = loyalty.join_people(kept, lost)
    where g.merge_no = answer.merge_no;
    update loyalty.accounts as a set held_until = '9999-12-01' where a.member_no = lost and a.held_until is not null;
    return answer;
end $$;

-- Points that came to a lost member after the merge go over too; the points. The caller holds both accounts and pays debts after it.
create function loyalty.follow_merge(merge loyalty.merges, at timestamptz) returns bigint language plpgsql as $$
declare
    points constant bigint := (select a.balance from loyalty.accounts as a where a.member_no = merge.lost_no);
    kept constant bigint := (select m.merged_into from loyalty.members as m where m.member_no = merge.lost_no);
begin
    if points <> 0 then
        perform loyalty.move_lots(loyalty.begin_transfer(merge.merge_no, merge.lost_no, kept, at), null, 0);
    end if;
    return points;
end $$;

-- Undoes a merge: the transactions that were the lost member's, with their refunds and corrections since, and what is left of the lots
-- that went over, go back. The caller holds both accounts and has recorded what time did to them.
create function loyalty.unmerge_members(merge loyalty.merges, by_whom text, at timestamptz) returns loyalty.merge_answer
language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.merge_answer;
    transfer loyalty.transfers := loyalty.begin_transfer(merge.merge_no, merge.kept_no, merge.lost_no, at);
    moving bigint [];
    named bigint [];
begin
    answer.merge_no := merge.merge_no;
    moving := array(
        with recursive theirs as (
            select m.transaction_no
            from loyalty.transfers as x
            inner join loyalty.moved_transactions as m on x.transfer_no = m.transfer_no and m.from_no = merge.lost_no
            where x.merge_no = merge.merge_no
            union
            select l.transaction_no
            from theirs as h
            inner join (
                select t.sale_no as of_no, t.transaction_no from loyalty.transactions as t where t.member_no = merge.kept_no
                union all
                select c.corrected_no, c.reversal_no from loyalty.corrections as c where c.member_no = merge.kept_no
                union all
                select c.corrected_no, c.replacement_no from loyalty.corrections as c
                where c.replacement_member_no = merge.kept_no
            ) as l on h.transaction_no = l.of_no
        )

        select h.transaction_no from theirs as h
        inner join loyalty.transactions as t on t.member_no = merge.kept_no and h.transaction_no = t.transaction_no
    );
    named := array(
        select m.to_lot_no
        from loyalty.transfers as x
        inner join loyalty.moved_lots as m on x.transfer_no = m.transfer_no
        inner join loyalty.lots as l on l.member_no = merge.kept_no and m.to_lot_no = l.lot_no
        where x.merge_no = merge.merge_no and x.to_no = merge.kept_no and l.remaining > 0
    );
    answer.transactions := cardinality(moving);
    answer.appeared := loyalty.move_transactions(transfer, moving);
    perform loyalty.move_beside(transfer, moving);
    perform loyalty.move_lots(transfer, named, greatest(-answer.appeared, 0));
    if answer.appeared > 0 then
        perform loyalty.post_appeared(transfer, answer.appeared);
    end if;
    answer.points := (select a.balance from loyalty.accounts as a where a.member_no = merge.lost_no);
    perform loyalty.part_people(merge);
    perform loyalty.part_beside(merge, at);
    update loyalty.accounts as a set held_until = merge.lost_held_until where a.member_no = merge.lost_no;
    update loyalty.merges as g set undone_by = by_whom, undone_at = at where g.merge_no = merge.merge_no;
    return answer;
end $$;

-- The lost member is one again: its consents and identifiers come back, and what it filled of the other's fields, as far as that is
-- unchanged, goes. The other's consents stay as they are.
create function loyalty.part_people(merge loyalty.merges) returns void language plpgsql as $$
begin
    update loyalty.members as m
    set
        email_consent = merge.lost_email_consent and not loyalty.withdrawn_since(merge, 'email'),
        sms_consent = merge.lost_sms_consent and not loyalty.withdrawn_since(merge, 'sms'),
        merged_into = null
    where m.member_no = merge.lost_no;
    -- who had been merged into the lost one before is that one's again
    update loyalty.members as m set merged_into = merge.lost_no
    from loyalty.merges as g
    where g.lost_no = m.member_no and g.kept_no = merge.lost_no and g.undone_at is null;
    update loyalty.members as k
    set
        email = case when 'email' = any(merge.filled) then nullif(k.email, o.email) else k.email end,
        phone = case when 'phone' = any(merge.filled) then nullif(k.phone, o.phone) else k.phone end,
        first_name = case when 'first_name' = any(merge.filled) then nullif(k.first_name, o.first_name) else k.first_name end,
        last_name = case when 'last_name' = any(merge.filled) then nullif(k.last_name, o.last_name) else k.last_name end,
        birthday = case when 'birthday' = any(merge.filled) then nullif(k.birthday, o.birthday) else k.birthday end,
        joined_on = case when 'joined_on' = any(merge.filled) then nullif(k.joined_on, o.joined_on) else k.joined_on end,
        time_zone = case when 'time_zone' = any(merge.filled) then nullif(k.time_zone, o.time_zone) else k.time_zone end,
        language = case when 'language' = any(merge.filled) then nullif(k.language, o.language) else k.language end
    from loyalty.members as o
    where k.member_no = merge.kept_no and o.member_no = merge.lost_no;
    update loyalty.identifiers as i set member_no = merge.lost_no, origin_no = nullif(i.origin_no, merge.lost_no)
    where i.member_no = merge.kept_no and i.origin_no = any(loyalty.family_of(merge.lost_no));
end $$;
-- Limits: how often, and how much, members, tills, staff and places may earn and redeem before a person looks.

-- The limits of a version of the rules, in the order of its file. Rules without limits have no row, so that one look says whether there
-- is anything to count.
create table loyalty.velocity_limits (
    version integer not null references loyalty.rules_versions on delete cascade,
    place smallint not null check (place >= 1),
    kind text not null check (kind in ('earn', 'redeem', 'redeem_after_change', 'refund_after_redemption')),
    per text not null check (per in ('member', 'till', 'staff', 'location')),
    span text not null check (span in ('hour', 'day', 'month')),
    measure text not null check (measure in ('points', 'events')),
    most bigint check (most >= 0),
    hours integer check (hours >= 1),
    primary key (version, place),
    check ((kind in ('earn', 'redeem')) = (most is not null)),
    check ((most is null) <> (hours is null))
);

-- What was counted, in the transactions that are counted: exact, since each waits for the one before that counts the same.
create table loyalty.velocity_counts (
    kind text not null,
    per text not null,
    span text not null,
    subject text not null,
    starts_at timestamp not null,
    points bigint not null,
    events bigint not null,
    primary key (kind, per, span, subject, starts_at)
) with (fillfactor = 70);

comment on column loyalty.velocity_counts.subject is 'the member''s number, or the till, person or location as the till named it';
comment on column loyalty.velocity_counts.starts_at is 'when the hour, day or month began, in the programme''s zone';

alter table loyalty.members add column contact_changed_at timestamptz;

comment on column loyalty.members.contact_changed_at is 'when e-mail address or phone number last became another, after the enrolment';

-- What breaks a limit is held until a person releases it, which is once, or refuses it.
alter table loyalty.inbox
    add column released_by text,
    drop constraint inbox_state_check,
    add constraint inbox_state_check check (state in ('waiting', 'applied', 'held', 'dead', 'dropped'));

comment on column loyalty.inbox.released_by is 'who let it be applied though it breaks a limit';

alter table loyalty.staff_messages
    add column event_no bigint,
    alter column approval_no drop not null,
    drop constraint staff_messages_kind_check,
    add constraint staff_messages_kind_check check (
        kind in ('review_waiting', 'review_reminder', 'review_overdue', 'review_code', 'limit_breached')
    ),
    add constraint staff_messages_have_their_cause check (
        (kind = 'limit_breached') = (event_no is not null)
    );
-- Messages on their way to a provider: who has one in hand and until when, and what the provider calls it. A message of the file
-- channel has no row here. The leases go by the machines' own clock, not by the programme's: they bound how long somebody really works.

create table loyalty.deliveries (
    message_no bigint primary key,
    member_no bigint not null,
    provider text not null,
    attempted_at timestamptz not null,
    claimed_by text,
    claimed_until timestamptz,
    provider_id text,
    fault text check (fault in ('opted out', 'bad address')),
    digest bytea
) with (fillfactor = 70);

comment on column loyalty.deliveries.provider is 'the channel that has it: sendgrid, twilio, smtp';
comment on column loyalty.deliveries.attempted_at is 'when the last try was claimed';
comment on column loyalty.deliveries.claimed_by is 'the delivery that has it in hand; null once the outcome is recorded';
comment on column loyalty.deliveries.provider_id is 'what the provider calls it, once it has taken it';
comment on column loyalty.deliveries.fault is 'why the provider will never take it, where that says something of the member';
comment on column loyalty.deliveries.digest is 'of address and text, to be found again at the provider; forgotten once the outcome is known';

-- What is in hand or unknown: few rows, whatever the outbox holds.
create index outbox_in_hand on loyalty.outbox (message_no) where state in ('sending', 'unknown');

-- How fast a channel may be used, by all deliveries together.
create table loyalty.channel_rates (
    provider text primary key,
    tokens double precision not null,
    counted_at timestamptz not null,
    resumes_at timestamptz
);

comment on column loyalty.channel_rates.tokens is 'how many messages might go out at counted_at';
comment on column loyalty.channel_rates.resumes_at is 'the provider asked for a rest until then';

-- Staff are told by a provider too, each message once.
alter table loyalty.staff_messages
    drop constraint staff_messages_state_check,
    add constraint staff_messages_state_check check (state in ('queued', 'sending', 'unknown', 'sent', 'withheld', 'failed')),
    add column not_before timestamptz,
    add column tries smallint not null default 0,
    add column claimed_until timestamptz;

create index staff_messages_in_hand on loyalty.staff_messages (message_no) where state in ('sending', 'unknown');
-- What messages tell of beside months and tiers: receipts of points spent, points that a refund took back; and to staff, gifts that
-- wait to be sent and limits that were reached.

-- Queues the receipt of a redemption that is committed, where the rules send receipts. Again: outbox_once refuses a second one.
create function loyalty.queue_receipt(redemption bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
    select
        'redemption_receipt', r.redemption_no::text, r.member_no, 'email',
        jsonb_strip_nulls(jsonb_build_object(
            'points', r.points, 'worth', r.worth, 'currency', v.currency, 'at', loyalty.occasion_of(queue_receipt.at),
            'reference', r.reference, 'balance', s.available + s.pending - s.owed
        )),
        queue_receipt.at
    from loyalty.redemptions as r
    cross join loyalty.rules_at(queue_receipt.at) as v
    cross join lateral loyalty.standing(r.member_no, queue_receipt.at) as s
    where r.redemption_no = redemption and r.state = 'committed' and v.receipts
    on conflict (kind, occasion, member_no) do nothing
$$;

-- Withholds the receipt of a redemption that is undone before it went out.
create function loyalty.withhold_receipt(redemption bigint, at timestamptz) returns void language sql as $$
    update loyalty.outbox as o set state = 'withheld', reason = 'stale', finished_at = withhold_receipt.at
    where o.kind = 'redemption_receipt' and o.occasion = redemption::text and o.state = 'queued'
        and o.member_no = (select r.member_no from loyalty.redemptions as r where r.redemption_no = redemption)
$$;

-- Messages to staff that are about no approval say what they tell of in facts; the warehouse's go to the warehouse.
alter table loyalty.staff_messages
    add column facts jsonb,
    drop constraint staff_messages_kind_check,
    add constraint staff_messages_kind_check check (
        kind in (
            'review_waiting', 'review_reminder', 'review_overdue', 'review_code', 'gift_to_dispatch', 'limit_breached'
        )
    ),
    add constraint staff_messages_tell_of_something check (
        approval_no is not null or event_no is not null or facts is not null
    );

comment on column loyalty.staff_messages.facts is 'what it tells of, where that is no approval; never personal data';

-- The message in which the warehouse heard of a gift; null until then.
alter table loyalty.gift_dispatches add column told_in bigint;
alter table loyalty.redeemed_gifts add column told_in bigint;

create index gift_dispatches_untold on loyalty.gift_dispatches (member_no) where told_in is null and state = 'open';
create index redeemed_gifts_untold on loyalty.redeemed_gifts (redemption_no) where told_in is null and state = 'open';
-- What members agreed to, where nothing may be sent, and what providers tell of messages that were sent.

-- Every consent given or withdrawn: the newest of a member, channel and purpose holds, at one instant the withdrawal. `service` is the
-- channel itself, and members.email_consent and sms_consent are its present state; `marketing` is offers on it, beside that.
create table loyalty.consent_events (
    member_no bigint not null,
    channel text not null check (channel in ('email', 'sms')),
    purpose text not null check (purpose in ('service', 'marketing')),
    at timestamptz not null,
    given boolean not null,
    source text not null check (length(source) between 1 and 80),
    wording text check (length(wording) between 1 and 2000),
    constraint consent_events_once primary key (member_no, channel, purpose, at, given, source)
);

comment on column loyalty.consent_events.source is 'by what way it came: import, api, unsubscribe link, sms STOP …';
comment on column loyalty.consent_events.wording is 'what the member was shown and agreed to, or typed; never personal data';

create trigger consent_events_append_only before update or delete on loyalty.consent_events
for each row execute function loyalty.refuse_change();
create trigger consent_events_no_truncate before truncate on loyalty.consent_events
for each statement execute function loyalty.refuse_change();

-- Whether a member agrees; null where nothing was ever said.
create function loyalty.newest_consent(of_member bigint, on_channel text, for_purpose text) returns boolean
language sql stable parallel safe as $$
    select e.given from loyalty.consent_events as e
    where e.member_no = of_member and e.channel = on_channel and e.purpose = for_purpose
    order by e.at desc, e.given
    limit 1
$$;

-- What a message is for: an offer needs a consent of its own kind.
create function loyalty.purpose_of(kind loyalty.message_kind) returns text language sql immutable parallel safe as $$
    select case when kind = 'personal_offer' then 'marketing' else 'service' end
$$;

create index outbox_offers on loyalty.outbox (member_no) where loyalty.purpose_of(kind) = 'marketing';
create index outbox_not_sent on loyalty.outbox (finished_at) where state in ('withheld', 'failed');

-- A telephone number as digits that can be compared, however it was written: a number in full, without + or 00.
create function loyalty.phone_digits(phone text) returns text language sql immutable parallel safe as $$
    select ltrim(regexp_replace(phone, '[^0-9]', '', 'g'), '0')
$$;

create index members_by_phone on loyalty.members (loyalty.phone_digits(phone)) where phone is not null;

-- The digest by which an address is known where it must not stand itself.
create function loyalty.address_digest(channel text, address text) returns bytea language sql immutable parallel safe as $$
    select sha256(convert_to(case when channel = 'email' then lower(btrim(address)) else loyalty.phone_digits(address) end, 'UTF8'))
$$;

-- Addresses to which a provider will not, or should not, send any more; whoever has them. It holds until a person lifts it, and again if
-- the provider says so later than that.
create table loyalty.suppressions (
    channel text not null check (channel in ('email', 'sms')),
    address bytea not null check (length(address) = 32),
    reason text not null check (reason in ('bounced', 'spam report', 'invalid address')),
    since timestamptz not null,
    source text not null check (length(source) between 1 and 80),
    lifted_at timestamptz,
    lifted_by text,
    constraint suppressions_once primary key (channel, address, reason),
    check ((lifted_at is null) = (lifted_by is null))
);

comment on column loyalty.suppressions.address is 'loyalty.address_digest of it';
comment on column loyalty.suppressions.since is 'the newest instant at which a provider said so';

-- What a provider tells of a message, each event once. What became of the message is read from all of them, so neither their order nor
-- a repetition can matter.
create table loyalty.message_events (
    platform text not null check (length(platform) between 1 and 80),
    event_id text not null check (length(event_id) between 1 and 200),
    message_no bigint not null,
    kind text not null check (
        kind in (
            'accepted', 'deferred', 'sent', 'delivered', 'opened', 'clicked', 'failed', 'dropped', 'bounced', 'complained', 'opted_out'
        )
    ),
    at timestamptz not null,
    reason text check (length(reason) <= 80),
    constraint message_events_once primary key (platform, event_id)
);

comment on column loyalty.message_events.at is 'by the provider''s clock, but never later than it was received';
comment on column loyalty.message_events.reason is 'a code or word of a known list, never free text: that may hold an address';

create index message_events_of_message on loyalty.message_events (message_no);

-- How far an event takes a message. What was opened was delivered; a mailbox may still return what it took; who complains or opts out
-- has read it, and that outlives all else.
create function loyalty.event_rank(kind text) returns integer language sql immutable parallel safe as $$
    select array_position(
        array['accepted', 'deferred', 'sent', 'delivered', 'opened', 'clicked', 'failed', 'dropped', 'bounced', 'complained', 'opted_out'],
        kind
    )
$$;

create view loyalty.message_outcomes as
select distinct on (e.message_no)
    e.message_no,
    e.kind as outcome,
    e.at,
    e.reason
from loyalty.message_events as e
order by e.message_no, loyalty.event_rank(e.kind) desc, e.at, e.platform, e.event_id;
-- A person is one person over all that stands beside the books: what erasing somebody, and merging two members or parting them, means for
-- traits, referrals, visits, campaigns, limits, consents and deliveries.

alter table loyalty.campaign_members add column from_no bigint;

comment on column loyalty.campaign_members.from_no is 'of a draw that came by a merge: the member who was drawn';

alter table loyalty.merged_rewards add foreign key (merge_no) references loyalty.merges;

-- Whether an address or a number, as a provider names it, is an erased person's and nobody else's.
create function loyalty.is_nobodys(channel text, address text) returns boolean language sql stable as $$
    select loyalty.is_erased(k.kind, '', k.value) and not exists (
        select from loyalty.identifiers as i where i.kind = k.kind and i.platform = '' and i.value = k.value
    )
    from (
        select
            case channel when 'email' then 'email' else 'phone' end as kind,
            case channel when 'email' then loyalty.folded_email(address) else btrim(address) end as value
    ) as k
$$;

-- Takes the digests of a member's addresses from what providers said of addresses, but for those that another member has too.
create function loyalty.forget_suppressions(member bigint) returns void language sql as $$
    with theirs as materialized (
        select a.channel, loyalty.address_digest(a.channel, a.address) as digest
        from loyalty.members as m
        cross join lateral (values ('email', m.email), ('sms', m.phone)) as a (channel, address)
        where m.member_no = member and a.address is not null
        union
        select k.channel, loyalty.address_digest(k.channel, i.value)
        from loyalty.identifiers as i
        inner join (values ('email', 'email'), ('phone', 'sms')) as k (kind, channel) on i.kind = k.kind
        where i.member_no = member
    )

    delete from loyalty.suppressions as s
    using theirs as t
    where s.channel = t.channel and s.address = t.digest and not exists (
        select from loyalty.identifiers as i
        where i.member_no <> member and i.kind = case s.channel when 'email' then 'email' else 'phone' end
            and loyalty.address_digest(s.channel, i.value) = s.address
    )
$$;

-- Takes what is known of an erased member beside the books: called before the addresses are gone. What was given, and the draw of a
-- campaign, stays under the number.
create function loyalty.forget_beside(member bigint, at timestamptz) returns void language plpgsql as $$
begin
    perform loyalty.forget_suppressions(member);
    delete from loyalty.member_traits as t where t.member_no = member;
    delete from loyalty.visit_totals as t where t.member_no = member;
    delete from loyalty.segments as s where s.member_no = member;
    delete from loyalty.velocity_counts as c where c.per = 'member' and c.subject = member::text;
    update loyalty.approvals as a set note = null
    where a.note is not null and a.approval_no in (
        select j.approval_no from loyalty.adjustments as j where j.member_no = member
    );
    update loyalty.adjustments as j set note = null where j.member_no = member and j.note is not null;
    update loyalty.referrals as r
    set state = 'refused', reason = 'the member is erased', settled_at = forget_beside.at
    where r.referred_no = member and r.state = 'open';
    update loyalty.outbox as o set state = 'failed', reason = 'erased', finished_at = forget_beside.at
    where o.member_no = member and o.state = 'unknown';
    update loyalty.deliveries as d set digest = null, provider_id = null
    where d.member_no = member and (d.digest is not null or d.provider_id is not null)
        and d.message_no not in (select o.message_no from loyalty.outbox as o where o.state = 'sending');
end $$;

-- What two members have of open referrals becomes the kept one's, before the purchases go over. One between the two is refused, and so is
-- one by which either came where the other had bought, or was referred, before: that person was a customer already.
create function loyalty.join_referrals(kept bigint, lost bigint, at timestamptz) returns void language plpgsql as $$
#variable_conflict use_variable
begin
    update loyalty.referrals as r
    set state = 'refused', settled_at = at, reason = 'both are one person'
    where r.state = 'open' and r.referrer_no in (kept, lost) and r.referred_no in (kept, lost);
    update loyalty.referrals as r
    set state = 'refused', settled_at = at, reason = 'the member is merged with one who came before'
    from (values (kept, lost), (lost, kept)) as p (one, other)
    where r.state = 'open' and r.referred_no = p.one and (
        loyalty.has_bought(p.other, null)
        or exists (select from loyalty.referrals as o where o.referred_no = p.other and (o.state <> 'open' or p.other = kept))
    );
    update loyalty.referrals as r set referred_no = kept where r.state = 'open' and r.referred_no = lost;
    update loyalty.referrals as r set referrer_no = kept where r.state = 'open' and r.referrer_no = lost;
end $$;

-- Of each consent the stricter becomes the kept member's, and the lost one has none, by events, before the rows say so.
create function loyalty.join_consents(kept bigint, lost bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.consent_events (member_no, channel, purpose, at, given, source)
    select
        w.member_no, w.channel, w.purpose,
        greatest(join_consents.at, (
            select max(e.at) + interval '1 microsecond' from loyalty.consent_events as e
            where e.member_no = w.member_no and e.channel = w.channel and e.purpose = w.purpose
        )),
        false, 'merge'
    from (
        select s.member_no, s.channel, 'service' as purpose
        from loyalty.members as k
        inner join loyalty.members as l on l.member_no = lost
        cross join lateral (
            values
            (k.member_no, 'email', k.email_consent and not l.email_consent), (k.member_no, 'sms', k.sms_consent and not l.sms_consent),
            (l.member_no, 'email', l.email_consent), (l.member_no, 'sms', l.sms_consent)
        ) as s (member_no, channel, ends)
        where k.member_no = kept and s.ends
        union all
        select kept, c.channel, 'marketing'
        from (values ('email'), ('sms')) as c (channel)
        where loyalty.newest_consent(kept, c.channel, 'marketing') and not loyalty.newest_consent(lost, c.channel, 'marketing')
    ) as w
$$;

-- Whether a lost member has withdrawn a consent since the merge, which its undoing must not give back.
create function loyalty.withdrawn_since(merge loyalty.merges, channel text) returns boolean language sql stable as $$
    select exists (
        select from loyalty.consent_events as e
        where e.member_no = merge.lost_no and e.channel = withdrawn_since.channel and e.purpose = 'service' and not e.given
            and e.at >= merge.merged_at and e.source <> 'merge'
    )
$$;

-- Events of what a member agrees to again, once the row says so.
create function loyalty.part_consents(member bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.consent_events (member_no, channel, purpose, at, given, source)
    select
        member, s.channel, 'service',
        greatest(part_consents.at, (
            select max(e.at) + interval '1 microsecond' from loyalty.consent_events as e
            where e.member_no = member and e.channel = s.channel and e.purpose = 'service'
        )),
        s.given, 'unmerge'
    from loyalty.members as m
    cross join lateral (values ('email', m.email_consent), ('sms', m.sms_consent)) as s (channel, given)
    where m.member_no = member and loyalty.newest_consent(member, s.channel, 'service') <> s.given
$$;

-- Counts the visits of members in closed months anew, once purchases have gone from one to the other.
create function loyalty.recount_visits(members bigint []) returns void language sql as $$
    delete from loyalty.visit_totals as t where t.member_no = any(members);
    insert into loyalty.visit_totals (since, member_no, visits)
    select k.since, v.member_no, v.visits
    from (select n.since, n.through from loyalty.visit_marks as n order by n.since desc limit 1) as k
    cross join unnest(members) as one (member_no)
    cross join lateral loyalty.visits_booked(
        one.member_no, one.member_no + 1, k.since, k.since, (k.through + interval '1 month')::date, null
    ) as v
$$;

-- What campaigns gave for purchases goes over with them, so that a cap counts both members' and a refund takes from who has the points.
create function loyalty.move_beside(transfer loyalty.transfers, moving bigint []) returns void language plpgsql as $$
begin
    update loyalty.campaign_awards as w set member_no = transfer.to_no
    where w.member_no = transfer.from_no and w.transaction_no = any(moving);
    update loyalty.campaign_take_backs as b set member_no = transfer.to_no
    where b.member_no = transfer.from_no and b.transaction_no = any(moving) and b.entry_id is null;
    perform loyalty.recount_visits(array[transfer.from_no, transfer.to_no]);
end $$;

-- What is counted for limits of a member, by hours, days and months.
create function loyalty.counts_of(member bigint) returns setof loyalty.velocity_counts language sql stable as $$
    select c.* from loyalty.velocity_counts as c
    where c.kind in ('earn', 'redeem') and c.per = 'member' and c.span in ('hour', 'day', 'month') and c.subject = member::text
$$;

-- The kept member has done what either did, for limits: else a merge would be a fresh allowance. The lost one's counts stay as they are
-- while it is merged, so that its undoing knows them.
create function loyalty.join_counts(kept bigint, lost bigint) returns void language sql as $$
    insert into loyalty.velocity_counts as c (kind, per, span, subject, starts_at, points, events)
    select o.kind, o.per, o.span, kept::text, o.starts_at, o.points, o.events
    from loyalty.counts_of(lost) as o
    on conflict (kind, per, span, subject, starts_at)
    do update set points = c.points + excluded.points, events = c.events + excluded.events
$$;

-- The lost member has done what it did before the merge, the kept one all else.
create function loyalty.part_counts(kept bigint, lost bigint) returns void language sql as $$
    update loyalty.velocity_counts as c set points = c.points - o.points, events = c.events - o.events
    from loyalty.counts_of(lost) as o
    where c.kind = o.kind and c.per = o.per and c.span = o.span and c.subject = kept::text and c.starts_at = o.starts_at
$$;

-- The kept member is in the campaigns that the lost one is in, with the lost one's draw where it has none of its own, and is known by both
-- ones' cards, addresses and devices. What upgrades brought the lost one counts for it too.
create function loyalty.join_beside(kept bigint, lost bigint, at timestamptz) returns void language plpgsql as $$
#variable_conflict use_variable
begin
    insert into loyalty.campaign_members (campaign_no, member_no, held_out, drawn_at, from_no)
    select d.campaign_no, kept, d.held_out, at, lost
    from loyalty.campaign_members as d
    inner join loyalty.campaigns as c on d.campaign_no = c.campaign_no and c.state <> 'asked'
    where d.member_no = lost
    on conflict do nothing;
    insert into loyalty.member_traits (member_no, trait, digest)
    select kept, t.trait, t.digest from loyalty.member_traits as t where t.member_no = lost
    on conflict do nothing;
    insert into loyalty.merged_rewards (member_no, tier_no, earned_at, merge_no)
    select distinct kept, w.tier_no, w.earned_at, g.merge_no
    from loyalty.merges as g
    inner join loyalty.rewards as w on g.lost_no = w.member_no
    where g.lost_no = lost and g.undone_at is null;
    delete from loyalty.segments as s where s.member_no = lost;
    perform loyalty.join_counts(kept, lost);
    update loyalty.members as k set contact_changed_at = greatest(k.contact_changed_at, l.contact_changed_at)
    from loyalty.members as l where k.member_no = kept and l.member_no = lost;
end $$;

-- A draw that came by a merge goes with its undoing, unless it has given something; and the memory of the lost one's rewards ends.
create function loyalty.part_beside(merge loyalty.merges, at timestamptz) returns void language plpgsql as $$
begin
    perform loyalty.part_consents(merge.lost_no, part_beside.at);
    perform loyalty.part_counts(merge.kept_no, merge.lost_no);
    update loyalty.merged_rewards as w set forgotten_at = part_beside.at where w.merge_no = merge.merge_no;
    delete from loyalty.campaign_members as d
    where d.member_no = merge.kept_no and d.from_no = merge.lost_no and not d.told and not exists (
        select from loyalty.campaign_awards as w where w.campaign_no = d.campaign_no and w.member_no = d.member_no
    );
end $$;
-- Purchases in a currency that has no rate on the day of the sale: kept until a file of rates brings it.

alter table loyalty.inbox add column waits_for_currency text, add column waits_for_day date;

comment on column loyalty.inbox.waits_for_currency is 'of an event that waits for a rate: whose, and waits_for_day of which day in the programme''s zone';

create index inbox_waits_for_rate on loyalty.inbox (waits_for_currency, waits_for_day)
where state = 'waiting' and waits_for_currency is not null;
-- The tables that a close writes a row into for each member are kept in parts of a quarter of a million: the batches of a
-- close then write side by side into tables and indexes of their own, each at their right end, instead of meeting on the same pages.

create function loyalty.members_per_part() returns bigint language sql immutable as $$
    select 250000::bigint
$$;

-- The parts there are: as many of each table.
create function loyalty.member_parts() returns integer language sql stable as $$
    select count(*)::integer from pg_inherits as i where i.inhparent = 'loyalty.outbox'::regclass
$$;

-- A part of one table, made first and attached then: that waits for nobody who reads or writes the other parts, and nobody waits
-- for it. What holds for each statement on entries holds for one that names a part, too.
create function loyalty.add_member_part(parent text, part integer) returns void language plpgsql as $$
declare
    made constant text := parent || '_' || part;
    size constant bigint := loyalty.members_per_part();
begin
    execute format('create table loyalty.%I (like loyalty.%I including all excluding identity)', made, parent);
    execute format(
        'alter table loyalty.%I attach partition loyalty.%I for values from (%s) to (%s)', parent, made,
        (part - 1) * size + 1, part * size + 1
    );
    if parent = 'entries' then
        execute format(
            'create trigger entries_append_only before update or delete on loyalty.%I '
            'for each statement execute function loyalty.refuse_change()', made
        );
        execute format(
            'create trigger entries_no_truncate before truncate on loyalty.%I '
            'for each statement execute function loyalty.refuse_change()', made
        );
    end if;
end $$;

-- Parts for every member up to this one. Again: they are there already. The lock keeps two who enrol from making the same part,
-- and a month that is being opened from missing one.
create function loyalty.ensure_member_parts(last_member bigint) returns void language plpgsql as $$
declare
    wanted constant integer := (last_member - 1) / loyalty.members_per_part() + 1;
    parent text;
begin
    if to_regclass('loyalty.outbox_' || wanted) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(7031006);
    for part in loyalty.member_parts() + 1 .. wanted loop
        for parent in
            select c.relname from pg_inherits as i
            inner join pg_class as c on i.inhrelid = c.oid
            where i.inhparent = 'loyalty.statements'::regclass
            union all
            select * from unnest(array['entries', 'lots', 'tier_history', 'vouchers', 'outbox'])
        loop
            perform loyalty.add_member_part(parent, part);
        end loop;
    end loop;
end $$;

-- The partition of a period's statements, with its parts: attached as they are. Again: does nothing.
create function loyalty.ensure_statements(wanted date) returns void language plpgsql as $$
declare
    made constant text := 'statements_' || to_char(wanted, 'YYYY_MM');
begin
    if to_regclass('loyalty.' || made) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(7031006);
    -- somebody may have opened the month meanwhile: a query sees it, a name that was looked up before may be remembered
    if exists (select from pg_class as c where c.relnamespace = 'loyalty'::regnamespace and c.relname = made) then
        return;
    end if;
    execute format('create table loyalty.%I (like loyalty.statements including all) partition by range (member_no)', made);
    for part in 1 .. loyalty.member_parts() loop
        perform loyalty.add_member_part(made, part);
    end loop;
    execute format(
        'alter table loyalty.statements attach partition loyalty.%I for values from (%L) to (%L)', made, wanted,
        (wanted + interval '1 month')::date
    );
end $$;

-- Whoever enrols: the parts are there before their first row, ten thousand members ahead.
create function loyalty.follow_members() returns trigger language plpgsql as $$
begin
    perform loyalty.ensure_member_parts(s.last_value + 10000) from loyalty.members_member_no_seq as s;
    return null;
end $$;

create trigger members_have_parts after insert on loyalty.members
for each statement execute function loyalty.follow_members();

select loyalty.ensure_member_parts(1);
