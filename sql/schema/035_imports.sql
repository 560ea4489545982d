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
