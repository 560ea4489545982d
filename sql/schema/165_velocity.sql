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
