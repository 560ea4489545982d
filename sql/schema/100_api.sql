-- Who may call the API, what was answered before, and how fast somebody may go on.

-- Only the hash of a key is kept. A name is given anew once its key is revoked.
create table loyalty.api_keys (
    key_no integer generated always as identity primary key,
    name text not null check (length(name) between 1 and 80),
    digest bytea not null unique check (length(digest) = 32),
    scopes text [] not null check (cardinality(scopes) > 0),
    requests_per_minute integer check (requests_per_minute > 0),
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

comment on column loyalty.api_keys.digest is 'SHA-256 of the key';
comment on column loyalty.api_keys.requests_per_minute is 'null: no limit';

create unique index api_keys_in_use on loyalty.api_keys (name) where revoked_at is null;

-- The first answer to each Idempotency-Key of an API key, written in the transaction of what it answers. The row is made first,
-- without an answer, so that whoever comes with the same key at the same time waits for it.
create table loyalty.answers (
    key_no integer not null,
    idempotency_key text not null check (length(idempotency_key) between 1 and 255),
    digest bytea not null check (length(digest) = 32),
    status smallint,
    body text,
    answered_at timestamptz not null,
    primary key (key_no, idempotency_key)
);

comment on column loyalty.answers.digest is 'SHA-256 of what was asked: method, path and content';

create index answers_by_age on loyalty.answers (answered_at);

-- Token buckets: how many more tries there were at the moment `at`, in seconds of the machines' time, and whether the last one
-- was refused. A crash empties the table, which forgives; so nothing waits for the disc.
create unlogged table loyalty.throttles (
    bucket text primary key,
    tokens double precision not null,
    refused boolean not null,
    at double precision not null
);
