-- What members agreed to, where nothing may be sent, and what providers tell of messages that were sent.

-- Every consent given or withdrawn: the newest of a member, channel and purpose holds, at one instant the withdrawal. `service` is the
-- channel itself, and members.email_consent and sms_consent are its present state; `marketing` is offers on it, beside that.
create table loyalty.consent_events (
    member_no bigint not null,
    channel text not null check (channel in ('email', 'sms')),
    purpose text not null check (purpose in ('service', 'marketing')),
    at timestamptz not null,
    given boolean not null,
    source text not null check (length(source) between 1 and 80),
    wording text check (length(wording) between 1 and 2000),
    constraint consent_events_once primary key (member_no, channel, purpose, at, given, source)
);

comment on column loyalty.consent_events.source is 'by what way it came: import, api, unsubscribe link, sms STOP …';
comment on column loyalty.consent_events.wording is 'what the member was shown and agreed to, or typed; never personal data';

create trigger consent_events_append_only before update or delete on loyalty.consent_events
for each row execute function loyalty.refuse_change();
create trigger consent_events_no_truncate before truncate on loyalty.consent_events
for each statement execute function loyalty.refuse_change();

-- Whether a member agrees; null where nothing was ever said.
create function loyalty.newest_consent(of_member bigint, on_channel text, for_purpose text) returns boolean
language sql stable parallel safe as $$
    select e.given from loyalty.consent_events as e
    where e.member_no = of_member and e.channel = on_channel and e.purpose = for_purpose
    order by e.at desc, e.given
    limit 1
$$;

-- What a message is for: an offer needs a consent of its own kind.
create function loyalty.purpose_of(kind loyalty.message_kind) returns text language sql immutable parallel safe as $$
    select case when kind = 'personal_offer' then 'marketing' else 'service' end
$$;

create index outbox_offers on loyalty.outbox (member_no) where loyalty.purpose_of(kind) = 'marketing';
create index outbox_not_sent on loyalty.outbox (finished_at) where state in ('withheld', 'failed');

-- A telephone number as digits that can be compared, however it was written: a number in full, without + or 00.
create function loyalty.phone_digits(phone text) returns text language sql immutable parallel safe as $$
    select ltrim(regexp_replace(phone, '[^0-9]', '', 'g'), '0')
$$;

create index members_by_phone on loyalty.members (loyalty.phone_digits(phone)) where phone is not null;

-- The digest by which an address is known where it must not stand itself.
create function loyalty.address_digest(channel text, address text) returns bytea language sql immutable parallel safe as $$
    select sha256(convert_to(case when channel = 'email' then lower(btrim(address)) else loyalty.phone_digits(address) end, 'UTF8'))
$$;

-- Addresses to which a provider will not, or should not, send any more; whoever has them. It holds until a person lifts it, and again if
-- the provider says so later than that.
create table loyalty.suppressions (
    channel text not null check (channel in ('email', 'sms')),
    address bytea not null check (length(address) = 32),
    reason text not null check (reason in ('bounced', 'spam report', 'invalid address')),
    since timestamptz not null,
    source text not null check (length(source) between 1 and 80),
    lifted_at timestamptz,
    lifted_by text,
    constraint suppressions_once primary key (channel, address, reason),
    check ((lifted_at is null) = (lifted_by is null))
);

comment on column loyalty.suppressions.address is 'loyalty.address_digest of it';
comment on column loyalty.suppressions.since is 'the newest instant at which a provider said so';

-- What a provider tells of a message, each event once. What became of the message is read from all of them, so neither their order nor
-- a repetition can matter.
create table loyalty.message_events (
    platform text not null check (length(platform) between 1 and 80),
    event_id text not null check (length(event_id) between 1 and 200),
    message_no bigint not null,
    kind text not null check (
        kind in (
            'accepted', 'deferred', 'sent', 'delivered', 'opened', 'clicked', 'failed', 'dropped', 'bounced', 'complained', 'opted_out'
        )
    ),
    at timestamptz not null,
    reason text check (length(reason) <= 80),
    constraint message_events_once primary key (platform, event_id)
);

comment on column loyalty.message_events.at is 'by the provider''s clock, but never later than it was received';
comment on column loyalty.message_events.reason is 'a code or word of a known list, never free text: that may hold an address';

create index message_events_of_message on loyalty.message_events (message_no);

-- How far an event takes a message. What was opened was delivered; a mailbox may still return what it took; who complains or opts out
-- has read it, and that outlives all else.
create function loyalty.event_rank(kind text) returns integer language sql immutable parallel safe as $$
    select array_position(
        array['accepted', 'deferred', 'sent', 'delivered', 'opened', 'clicked', 'failed', 'dropped', 'bounced', 'complained', 'opted_out'],
        kind
    )
$$;

create view loyalty.message_outcomes as
select distinct on (e.message_no)
    e.message_no,
    e.kind as outcome,
    e.at,
    e.reason
from loyalty.message_events as e
order by e.message_no, loyalty.event_rank(e.kind) desc, e.at, e.platform, e.event_id;
