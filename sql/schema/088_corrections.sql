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
