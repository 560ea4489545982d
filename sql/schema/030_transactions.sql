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
