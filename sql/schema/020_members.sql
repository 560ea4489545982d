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
