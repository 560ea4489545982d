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
