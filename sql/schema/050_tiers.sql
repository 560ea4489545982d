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
