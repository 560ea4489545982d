-- By what a member is known beside the customer_id, and who was erased.

-- Platform ids belong to one member. An e-mail address or a telephone number may be several members': it then identifies nobody, and
-- the members are suggested for a merge.
create table loyalty.identifiers (
    kind text not null check (kind in ('platform', 'email', 'phone')),
    platform text not null default '' check ((platform <> '') = (kind = 'platform') and length(platform) <= 80),
    value text not null check (length(value) between 1 and 320),
    member_no bigint not null,
    origin_no bigint,
    primary key (kind, platform, value, member_no)
);

comment on column loyalty.identifiers.value is 'the platform''s id; the address in small letters; the number as E.164';

comment on column loyalty.identifiers.origin_no is 'of one that came by a merge: the member who had it';

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

-- The members whose books are one person's: a member and all who are merged into it.
create function loyalty.family_of(member bigint) returns bigint [] language sql stable as $$
    select array_agg(m.member_no order by m.member_no) from loyalty.members as m
    where m.member_no = member or m.merged_into = member
$$;

-- Takes all that a member's lots hold, whatever their dates, by one entry; or, where the member owes, pays that by one. The points of
-- the entry, 0 if there is none. The caller holds the account and has recorded what has expired.
create function loyalty.clear_balance(
    member bigint, kind loyalty.entry_kind, cause bigint, reason text, month date, at timestamptz
) returns bigint language plpgsql as $$
#variable_conflict use_variable
declare
    cleared bigint;
    entry bigint;
begin
    select coalesce((select sum(d.owed) from loyalty.debts as d where d.member_no = member), 0) - coalesce((
        select sum(l.remaining) from loyalty.lots as l where l.member_no = member and l.remaining > 0
    ), 0) into cleared;
    if cleared = 0 then
        return 0;
    end if;
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reason)
    values (month, member, kind, cause, cleared, at, at, reason)
    returning entry_id into entry;
    if cleared > 0 then
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at)
        values (entry, member, month, cleared, 0, at);
        with paid as (
            delete from loyalty.debts as d where d.member_no = member returning d.entry_id, d.owed
        )

        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points)
        select member, entry, p.entry_id, p.owed from paid as p;
    else
        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points)
        select member, l.lot_no, entry, l.remaining from loyalty.lots as l
        where l.member_no = member and l.remaining > 0;
        update loyalty.lots as l set remaining = 0 where l.member_no = member and l.remaining > 0;
    end if;
    update loyalty.accounts as a set balance = a.balance + cleared where a.member_no = member;
    return cleared;
end $$;

-- Who was erased, when, and by whom.
create table loyalty.erasures (
    member_no bigint primary key,
    erased_at timestamptz not null,
    erased_by text not null check (length(erased_by) between 1 and 80)
);

-- Forfeits what an erased member has, or owes: points by an entry, vouchers, open reviews, queued messages. The points of the entry.
-- Again: nothing is left. The entry's cause counts the member's forfeits of the month.
create function loyalty.forfeit(member bigint, at timestamptz) returns bigint language plpgsql as $$
declare
    month constant date := loyalty.book(at);
begin
    update loyalty.vouchers as v set state = 'void' where v.member_no = member and v.state in ('issued', 'held');
    update loyalty.reviews as r
    set state = 'lapsed', decided_by = 'system', decided_at = forfeit.at, note = 'the member is erased'
    where r.member_no = member and r.state = 'open';
    update loyalty.outbox as o set state = 'withheld', reason = 'erased', finished_at = forfeit.at
    where o.member_no = member and o.state = 'queued';
    return loyalty.clear_balance(
        member, 'forfeit',
        (
            select count(*) from loyalty.entries as e
            where e.period = month and e.member_no = member and e.kind = 'forfeit'
        ),
        null, month, at
    );
end $$;

-- Takes a person's identity away: the fields, the customer_id, the identifiers, of which keyed hashes stay. The caller holds the account.
create function loyalty.forget(member bigint, by_whom text, at timestamptz) returns void language plpgsql as $$
begin
    perform loyalty.forget_beside(member, forget.at);
    insert into loyalty.erasure_key default values on conflict do nothing;
    insert into loyalty.erased_identifiers (digest, member_no)
    select loyalty.erased_digest(x.kind, x.platform, x.value), member
    from (
        select i.kind, i.platform, i.value from loyalty.identifiers as i where i.member_no = member
        union all
        select 'customer_id', '', m.customer_id from loyalty.members as m where m.member_no = member
    ) as x
    on conflict do nothing;
    delete from loyalty.identifiers as i where i.member_no = member;
    update loyalty.members as m
    set
        customer_id = 'erased-' || m.member_no || case
            when exists (select from loyalty.members as o where o.customer_id = 'erased-' || m.member_no)
                then ' ' || gen_random_uuid()
            else ''
        end,
        email = null, phone = null, first_name = null, last_name = null, birthday = null, joined_on = null, time_zone = null,
        language = null, email_consent = false, sms_consent = false, contact_changed_at = null, erased_at = forget.at
    where m.member_no = member;
    update loyalty.reviews as r set note = null where r.member_no = member and r.state <> 'open';
    insert into loyalty.erasures (member_no, erased_at, erased_by) values (member, forget.at, by_whom);
end $$;
