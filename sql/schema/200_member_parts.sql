-- The tables that a close writes a row into for each member are kept in parts of a quarter of a million: the batches of a
-- close then write side by side into tables and indexes of their own, each at their right end, instead of meeting on the same pages.

create function loyalty.members_per_part() returns bigint language sql immutable as $$
    select 250000::bigint
$$;

-- The parts there are: as many of each table.
create function loyalty.member_parts() returns integer language sql stable as $$
    select count(*)::integer from pg_inherits as i where i.inhparent = 'loyalty.outbox'::regclass
$$;

-- A part of one table, made first and attached then: that waits for nobody who reads or writes the other parts, and nobody waits
-- for it. What holds for each statement on entries holds for one that names a part, too.
create function loyalty.add_member_part(parent text, part integer) returns void language plpgsql as $$
declare
    made constant text := parent || '_' || part;
    size constant bigint := loyalty.members_per_part();
begin
    execute format('create table loyalty.%I (like loyalty.%I including all excluding identity)', made, parent);
    execute format(
        'alter table loyalty.%I attach partition loyalty.%I for values from (%s) to (%s)', parent, made,
        (part - 1) * size + 1, part * size + 1
    );
    if parent = 'entries' then
        execute format(
            'create trigger entries_append_only before update or delete on loyalty.%I '
            'for each statement execute function loyalty.refuse_change()', made
        );
        execute format(
            'create trigger entries_no_truncate before truncate on loyalty.%I '
            'for each statement execute function loyalty.refuse_change()', made
        );
    end if;
end $$;

-- Parts for every member up to this one. Again: they are there already. The lock keeps two who enrol from making the same part,
-- and a month that is being opened from missing one.
create function loyalty.ensure_member_parts(last_member bigint) returns void language plpgsql as $$
declare
    wanted constant integer := (last_member - 1) / loyalty.members_per_part() + 1;
    parent text;
begin
    if to_regclass('loyalty.outbox_' || wanted) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(7031006);
    for part in loyalty.member_parts() + 1 .. wanted loop
        for parent in
            select c.relname from pg_inherits as i
            inner join pg_class as c on i.inhrelid = c.oid
            where i.inhparent = 'loyalty.statements'::regclass
            union all
            select * from unnest(array['entries', 'lots', 'tier_history', 'vouchers', 'outbox'])
        loop
            perform loyalty.add_member_part(parent, part);
        end loop;
    end loop;
end $$;

-- The partition of a period's statements, with its parts: attached as they are. Again: does nothing.
create function loyalty.ensure_statements(wanted date) returns void language plpgsql as $$
declare
    made constant text := 'statements_' || to_char(wanted, 'YYYY_MM');
begin
    if to_regclass('loyalty.' || made) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(7031006);
    -- somebody may have opened the month meanwhile: a query sees it, a name that was looked up before may be remembered
    if exists (select from pg_class as c where c.relnamespace = 'loyalty'::regnamespace and c.relname = made) then
        return;
    end if;
    execute format('create table loyalty.%I (like loyalty.statements including all) partition by range (member_no)', made);
    for part in 1 .. loyalty.member_parts() loop
        perform loyalty.add_member_part(made, part);
    end loop;
    execute format(
        'alter table loyalty.statements attach partition loyalty.%I for values from (%L) to (%L)', made, wanted,
        (wanted + interval '1 month')::date
    );
end $$;

-- Whoever enrols: the parts are there before their first row, ten thousand members ahead.
create function loyalty.follow_members() returns trigger language plpgsql as $$
begin
    perform loyalty.ensure_member_parts(s.last_value + 10000) from loyalty.members_member_no_seq as s;
    return null;
end $$;

create trigger members_have_parts after insert on loyalty.members
for each statement execute function loyalty.follow_members();

select loyalty.ensure_member_parts(1);
