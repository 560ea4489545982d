-- Functions: months opened, working tables made and dropped, codes made, messages' facts read.

-- Makes a month, and its partition of statements, known. Again: does nothing.
create function loyalty.ensure_period(wanted date) returns void language plpgsql as $$
begin
    insert into loyalty.periods (period, starts_at, ends_at)
    values (
        wanted, loyalty.period_start(wanted), loyalty.period_start((wanted + interval '1 month')::date)
    )
    on conflict do nothing;
end $$;

-- A run's own unlogged partitions of the working tables: one of its marks, and of each other table one for each batch, named for the
-- batch's first member. Made first and attached then: that, unlike `partition of`, waits for nobody who works on another run, and
-- nobody waits for it.
create function loyalty.make_working_tables(run_no bigint, first_members bigint []) returns void language plpgsql as $$
declare
    work_table text;
    part text;
begin
    part := 'work_marks_' || run_no;
    execute format('create unlogged table loyalty.%I (like loyalty.work_marks including all)', part);
    execute format('alter table loyalty.work_marks attach partition loyalty.%I for values in (%L)', part, run_no);
    foreach work_table in array array['work_profiles', 'work_transactions', 'work_spend', 'work_points', 'work_tiers'] loop
        for batch in 1 .. cardinality(first_members) loop
            part := loyalty.working_table(work_table, run_no, first_members[batch]);
            execute format('create unlogged table loyalty.%I (like loyalty.%I including all)', part, work_table);
            execute format(
                'alter table loyalty.%I attach partition loyalty.%I for values from (%s, %s) to (%s, %s)', work_table, part,
                run_no, first_members[batch], run_no, coalesce(first_members[batch + 1]::text, 'maxvalue')
            );
        end loop;
    end loop;
end $$;

-- The name of a batch's part of a working table.
create function loyalty.working_table(work_table text, run_no bigint, first_member bigint) returns text language sql immutable as $$
    select work_table || '_' || run_no || '_' || first_member
$$;

-- The key of a batch that was just written, where its table has one. Again: it is there already.
create function loyalty.key_working_table(work_table text, run_no bigint, first_member bigint) returns void language plpgsql
set max_parallel_maintenance_workers = 0 -- the other batches have the other cores
as $$
declare
    part constant text := loyalty.working_table(work_table, run_no, first_member);
    key constant text := case work_table
        when 'work_transactions' then null
        when 'work_points' then 'member_no, sale_period'
        else 'member_no'
    end;
begin
    if key is not null then
        execute format('create unique index if not exists %I on loyalty.%I (%s)', part || '_key', part, key);
    end if;
end $$;

-- Drops a run's partitions and the run. That takes the working tables for a moment from everybody: where another run is at
-- work on them, it does nothing, and who clears dead runs away comes back to it. Again: does nothing.
create function loyalty.drop_run(ended bigint) returns void language plpgsql as $$
declare
    parts constant text[] := array(
        select c.relname from pg_class as c
        where c.relnamespace = 'loyalty'::regnamespace and c.relkind = 'r'
            and c.relname ~ format('^work_[a-z]+_%s(_[0-9]+)?$', ended)
        order by c.relname
    );
    part text;
    patience constant text := current_setting('lock_timeout');
begin
    foreach part in array parts loop
        -- nobody but autovacuum is there, and it gives way
        execute format('lock table loyalty.%I in access exclusive mode', part);
    end loop;
    perform set_config('lock_timeout', '200ms', true);
    lock table only loyalty.work_profiles, only loyalty.work_transactions, only loyalty.work_spend,
        only loyalty.work_points, only loyalty.work_tiers, only loyalty.work_marks in access exclusive mode;
    perform set_config('lock_timeout', patience, true);
    foreach part in array parts loop
        execute format('drop table if exists loyalty.%I', part);
    end loop;
    delete from loyalty.runs as r where r.run_no = ended;
exception
    when lock_not_available or undefined_table then return;
end $$;

-- A voucher code of six random bytes: 12 symbols, and a check symbol: their values times their places, summed modulo 23, which
-- finds any one wrong symbol and any two neighbours swapped. The alphabet, 0123456789CFHJKMNPRTVWX, has no vowels and no
-- look-alikes; the drawn symbols are its first sixteen. One expression, so that the planner puts it in place.
create function loyalty.voucher_code(drawn bytea) returns text language sql immutable parallel safe as $$
    select translate(encode(substr(drawn, 1, 6), 'hex'), 'abcdef', 'CFHJKM') || substr(
        '0123456789CFHJKMNPRTVWX',
        (
            (get_byte(drawn, 0) >> 4) + (get_byte(drawn, 0) & 15) * 2
            + (get_byte(drawn, 1) >> 4) * 3 + (get_byte(drawn, 1) & 15) * 4
            + (get_byte(drawn, 2) >> 4) * 5 + (get_byte(drawn, 2) & 15) * 6
            + (get_byte(drawn, 3) >> 4) * 7 + (get_byte(drawn, 3) & 15) * 8
            + (get_byte(drawn, 4) >> 4) * 9 + (get_byte(drawn, 4) & 15) * 10
            + (get_byte(drawn, 5) >> 4) * 11 + (get_byte(drawn, 5) & 15) * 12
        ) % 23 + 1,
        1
    )
$$;

-- An instant as the occasion of a message.
create function loyalty.occasion_of(instant timestamptz) returns text language sql stable parallel safe as $$
    select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- What a message of the outbox says whose facts the books keep. The occasion of points_credited is its period (yyyy-mm), that of
-- tier_upgrade the instant of the move.
create function loyalty.message_facts(kind loyalty.message_kind, occasion text, member_no bigint) returns jsonb
language sql stable parallel safe as $$
    select case kind
        when 'points_credited' then (
            select jsonb_build_object('period', occasion, 'points', s.points_earned, 'balance', s.closing_balance)
            from loyalty.statements as s
            where s.period = (occasion || '-01')::date and s.member_no = message_facts.member_no
        )
        when 'tier_upgrade' then (
            select jsonb_build_object(
                'tier', t.name, 'from', f.name, 'period', to_char(h.period, 'YYYY-MM'), 'voucher', v.code, 'gift', g.gift
            )
            from loyalty.tier_history as h
            inner join loyalty.tiers as t on h.tier_no = t.tier_no
            inner join loyalty.tiers as f on h.from_tier_no = f.tier_no
            left join loyalty.vouchers as v
                on h.member_no = v.member_no and h.tier_no = v.tier_no and h.effective_at = v.issued_at
            left join loyalty.gift_dispatches as g
                on h.member_no = g.member_no and h.tier_no = g.tier_no and h.effective_at = g.earned_at
            where h.member_no = message_facts.member_no and h.effective_at = occasion::timestamptz
        )
    end
$$;

-- The qualifying points of a member at a close (semantics 7): of the statement of that month or, where the month had nothing to state,
-- of the newest one before it, whose window has moved on since. What was pending then has come long since.
create function loyalty.qualifying_points(of_member bigint, stated date, closed date) returns bigint
language sql stable parallel safe as $$
    select case
        when (s.period < closed) is not true then s.qualifying_points -- nothing is closed since; a close may be at work
        when v.qualify = 'period' then 0
        when v.qualify = 'lifetime' then floor(s.exact_sum) - floor(s.exact_unnamed)
        else floor(s.exact_sum) - floor(s.exact_before_window + s.exact_unnamed + coalesce((
            select sum(slot.exact) from unnest(s.exact_window) with ordinality as slot (exact, age)
            where slot.age > 12 - (
                extract(year from age(closed::timestamp, s.period)) * 12 + extract(month from age(closed::timestamp, s.period))
            )
        ), 0))
    end::bigint
    from loyalty.statements as s
    left join loyalty.closes as c on c.period = closed
    left join loyalty.rules_versions as v on c.rules_version = v.version
    where s.period = stated and s.member_no = of_member
$$;
