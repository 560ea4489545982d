-- By what a member is known beside the customer_id, and who was erased.

-- Platform ids belong to one member. An e-mail address or a telephone number may be several members': it then identifies nobody, and
-- the members are suggested for a merge.
create table loyalty.identifiers (
    kind text not null check (kind in ('platform', 'email', 'phone')),
    platform text not null default '' check ((platform <> '') = (kind = 'platform') and length(platform) <= 80),
    value text not null check (length(value) between 1 and 320),
    member_no bigint not null,
    primary key (kind, platform, value, member_no)
);

comment on column loyalty.identifiers.value is 'the platform''s id; the address in small letters; the number as E.164';

create unique index identifiers_of_platforms on loyalty.identifiers (platform, value) where kind = 'platform';
create index identifiers_of_member on loyalty.identifiers (member_no);

create index members_merged on loyalty.members (merged_into) where merged_into is not null;

-- An e-mail address as it is compared: case is folded, nothing else. Null for none.
create function loyalty.folded_email(email text) returns text language sql immutable parallel safe as $$
    select lower(btrim(email))
$$;

-- Whether a telephone number is written as E.164 already, beyond doubt: a 0 among its first digits may be one to be dialled only.
create function loyalty.is_e164(phone text) returns boolean language sql immutable parallel safe as $$
    select phone collate "C" ~ '^[+][1-9]{4}[0-9]{4,11}$'
$$;

-- The number of the member that a customer_id leads to, also by way of a merge; null if there is none, or an erased one.
create function loyalty.member_called(wanted text) returns bigint language sql stable as $$
    select coalesce(m.merged_into, m.member_no) from loyalty.members as m
    where m.customer_id = wanted and m.erased_at is null
$$;

-- Who was erased, by a keyed hash of each identifier: a late event is recognised, and the hash tells nothing without the key. The key
-- is drawn from the server's cryptographic source with the first erasure.
create table loyalty.erasure_key (
    only_one boolean primary key default true check (only_one),
    secret bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);

create table loyalty.erased_identifiers (
    digest bytea primary key check (length(digest) = 32),
    member_no bigint not null
);

create index erased_identifiers_of_member on loyalty.erased_identifiers (member_no);

create function loyalty.erased_digest(kind text, platform text, value text) returns bytea language sql stable as $$
    select sha256(k.secret || sha256(k.secret || convert_to(kind || ' ' || platform || ' ' || value, 'UTF8')))
    from loyalty.erasure_key as k
$$;

create function loyalty.is_erased(kind text, platform text, value text) returns boolean language sql stable as $$
    select exists (
        select from loyalty.erased_identifiers as e where e.digest = loyalty.erased_digest(kind, platform, value)
    )
$$;
