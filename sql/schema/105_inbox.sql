-- Every event from outside, as it came, before it is applied: once by (source, event id), whatever becomes of it.

-- body: the bytes received, until they are old; digest: SHA-256 of what they say, by which the same event is told from another
-- of the same id. waits_for: the transaction whose coming lets the event be applied. answer: what its first application said.
create table loyalty.inbox (
    source text not null check (length(source) between 1 and 120),
    event_id text not null check (length(event_id) between 1 and 200),
    event_no bigint generated always as identity,
    kind text not null check (length(kind) between 1 and 80),
    digest bytea not null check (length(digest) = 32),
    body bytea,
    received_at timestamptz not null,
    state text not null check (state in ('waiting', 'applied', 'dead', 'dropped')),
    reason text,
    waits_for text,
    tries integer not null default 0,
    next_try_at timestamptz,
    finished_at timestamptz,
    answer text,
    constraint inbox_once primary key (source, event_id),
    check ((state = 'waiting') = (next_try_at is not null)),
    check ((state = 'waiting') = (finished_at is null))
);

-- Only what is not applied is looked for by anything but its key; so an event that is applied at once costs one index.
create index inbox_due on loyalty.inbox (next_try_at) where state = 'waiting';
create index inbox_unapplied on loyalty.inbox (event_no) where state <> 'applied';
create index inbox_waits_for on loyalty.inbox (source, waits_for) where state = 'waiting' and waits_for is not null;
create index inbox_by_age on loyalty.inbox using brin (received_at);
