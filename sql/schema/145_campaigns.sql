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
