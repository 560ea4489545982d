-- Functions that change things: months opened, working tables made and dropped, codes drawn.

-- Makes a month, and its partition of statements, known. Again: does nothing.
create function loyalty.ensure_period(wanted date) returns void language plpgsql as $$
begin
    insert into loyalty.periods (period, starts_at, ends_at)
    values (
        wanted, loyalty.period_start(wanted), loyalty.period_start((wanted + interval '1 month')::date)
    )
    on conflict do nothing;
end $$;

-- The partition of a period's statements. Again: does nothing.
create function loyalty.ensure_statements(wanted date) returns void language plpgsql as $$
begin
    execute format(
        'create table if not exists loyalty.%I partition of loyalty.statements for values from (%L) to (%L)',
        'statements_' || to_char(wanted, 'YYYY_MM'), wanted, (wanted + interval '1 month')::date
    );
end $$;

-- A run's own unlogged partitions of the working tables. Made first and attached then: that, unlike `partition of`, waits for
-- nobody who works on another run, and nobody waits for it.
create function loyalty.make_working_tables(run_no bigint) returns void language plpgsql as $$
declare
    work_table text;
begin
    foreach work_table in array array['profiles', 'transactions', 'spend', 'points', 'tiers', 'marks'] loop
        execute format(
            'create unlogged table loyalty.%I (like loyalty.%I including all)',
            'work_' || work_table || '_' || run_no, 'work_' || work_table
        );
        execute format(
            'alter table loyalty.%I attach partition loyalty.%I for values in (%L)',
            'work_' || work_table, 'work_' || work_table || '_' || run_no, run_no
        );
    end loop;
end $$;

-- Drops a run's partitions and the run. That takes the working tables for a moment from everybody: where another run is at
-- work on them, it does nothing, and who clears dead runs away comes back to it. Again: does nothing.
create function loyalty.drop_run(ended bigint) returns void language plpgsql as $$
declare
    work_table text;
    patience constant text := current_setting('lock_timeout');
begin
    foreach work_table in array array['profiles', 'transactions', 'spend', 'points', 'tiers', 'marks'] loop
        if to_regclass('loyalty.work_' || work_table || '_' || ended) is not null then
            -- nobody but autovacuum is there, and it gives way
            execute format('lock table loyalty.%I in access exclusive mode', 'work_' || work_table || '_' || ended);
        end if;
    end loop;
    perform set_config('lock_timeout', '200ms', true);
    lock table only loyalty.work_profiles, only loyalty.work_transactions, only loyalty.work_spend,
        only loyalty.work_points, only loyalty.work_tiers, only loyalty.work_marks in access exclusive mode;
    perform set_config('lock_timeout', patience, true);
    foreach work_table in array array['profiles', 'transactions', 'spend', 'points', 'tiers', 'marks'] loop
        execute format('drop table if exists loyalty.%I', 'work_' || work_table || '_' || ended);
    end loop;
    delete from loyalty.runs as r where r.run_no = ended;
exception
    when lock_not_available then return;
end $$;

-- A voucher code: 12 symbols, the first 48 bits of a version 4 uuid, which the server draws from its cryptographic source, and
-- a check symbol: their values times their places, summed modulo 23, which finds any one wrong symbol and any two neighbours
-- swapped. The alphabet, 0123456789CFHJKMNPRTVWX, has no vowels and no look-alikes; the drawn symbols are its first sixteen.
create function loyalty.draw_voucher_code() returns text language plpgsql volatile as $$
declare
    bytes constant bytea := uuid_send(gen_random_uuid());
    checksum integer := 0;
begin
    for place in 0 .. 5 loop
        checksum := checksum + (2 * place + 1) * (get_byte(bytes, place) >> 4) + (2 * place + 2) * (get_byte(bytes, place) & 15);
    end loop;
    return translate(encode(substr(bytes, 1, 6), 'hex'), 'abcdef', 'CFHJKM')
        || substr('0123456789CFHJKMNPRTVWX', checksum % 23 + 1, 1);
end $$;
