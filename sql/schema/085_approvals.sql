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
