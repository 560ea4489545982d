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
