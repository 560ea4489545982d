-- Messages on their way to a provider: who has one in hand and until when, and what the provider calls it. A message of the file
-- channel has no row here. The leases go by the machines' own clock, not by the programme's: they bound how long somebody really works.

create table loyalty.deliveries (
    message_no bigint primary key,
    member_no bigint not null,
    provider text not null,
    attempted_at timestamptz not null,
    claimed_by text,
    claimed_until timestamptz,
    provider_id text,
    fault text check (fault in ('opted out', 'bad address')),
    digest bytea
) with (fillfactor = 70);

comment on column loyalty.deliveries.provider is 'the channel that has it: sendgrid, twilio, smtp';
comment on column loyalty.deliveries.attempted_at is 'when the last try was claimed';
comment on column loyalty.deliveries.claimed_by is 'the delivery that has it in hand; null once the outcome is recorded';
comment on column loyalty.deliveries.provider_id is 'what the provider calls it, once it has taken it';
comment on column loyalty.deliveries.fault is 'why the provider will never take it, where that says something of the member';
comment on column loyalty.deliveries.digest is 'of address and text, to be found again at the provider; forgotten once the outcome is known';

-- What is in hand or unknown: few rows, whatever the outbox holds.
create index outbox_in_hand on loyalty.outbox (message_no) where state in ('sending', 'unknown');

-- How fast a channel may be used, by all deliveries together.
create table loyalty.channel_rates (
    provider text primary key,
    tokens double precision not null,
    counted_at timestamptz not null,
    resumes_at timestamptz
);

comment on column loyalty.channel_rates.tokens is 'how many messages might go out at counted_at';
comment on column loyalty.channel_rates.resumes_at is 'the provider asked for a rest until then';

-- Staff are told by a provider too, each message once.
alter table loyalty.staff_messages
    drop constraint staff_messages_state_check,
    add constraint staff_messages_state_check check (state in ('queued', 'sending', 'unknown', 'sent', 'withheld', 'failed')),
    add column not_before timestamptz,
    add column tries smallint not null default 0,
    add column claimed_until timestamptz;

create index staff_messages_in_hand on loyalty.staff_messages (message_no) where state in ('sending', 'unknown');
