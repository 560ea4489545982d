-- Two members who are one person, and that undone. The transactions of the lost one become the kept one's, each rated as it was; the
-- entries and the statements stay where they are, and the points go over by entries of kind merge.

create table loyalty.merges (
    merge_no bigint generated always as identity primary key,
    kept_no bigint not null,
    lost_no bigint not null check (lost_no <> kept_no),
    merged_by text not null check (length(merged_by) between 1 and 80),
    merged_at timestamptz not null,
    filled text [] not null default '{}',
    lost_email_consent boolean not null,
    lost_sms_consent boolean not null,
    lost_held_until date,
    tier_moved_at timestamptz,
    undone_by text check (length(undone_by) between 1 and 80),
    undone_at timestamptz,
    check ((undone_by is null) = (undone_at is null))
);

comment on column loyalty.merges.filled is 'fields of the kept member that the lost one''s filled';
comment on column loyalty.merges.lost_held_until is 'until when the lost member''s tier was safe; while merged it does not move';
comment on column loyalty.merges.tier_moved_at is 'when the kept member took the lost one''s higher tier';

create unique index merges_open on loyalty.merges (lost_no) where undone_at is null;
create index merges_of_kept on loyalty.merges (kept_no);

-- Each time that something goes over: by the merge, by its undoing, or later, when points come back to the lost member.
create table loyalty.transfers (
    transfer_no bigint generated always as identity primary key,
    merge_no bigint not null references loyalty.merges,
    from_no bigint not null,
    to_no bigint not null,
    period date not null,
    at timestamptz not null
);

create index transfers_of_merge on loyalty.transfers (merge_no);

-- The state in which a transfer left either member, as a statement has it, for months from from_period on; and the points earned in
-- closed months that have gone over with their exact sums.
create table loyalty.transfer_states (
    transfer_no bigint not null references loyalty.transfers,
    member_no bigint not null,
    from_period date not null,
    earned_points bigint not null,
    stated_period date,
    exact_sum numeric not null,
    exact_before_window numeric not null,
    exact_unnamed numeric not null,
    exact_window numeric [] not null,
    primary key (transfer_no, member_no)
);

create index transfer_states_of_member on loyalty.transfer_states (member_no);

-- What real time had posted in a month not closed yet, and the close of the month is to count as another member's: a take-back under
-- its sales' period, all else under the month itself.
create table loyalty.moved_earnings (
    transfer_no bigint not null references loyalty.transfers,
    member_no bigint not null,
    period date not null,
    sale_period date not null,
    points bigint not null,
    primary key (transfer_no, member_no, period, sale_period)
);

create index moved_earnings_of_period on loyalty.moved_earnings (period, member_no);

-- Which transactions went over; stated: the statement of their month was the member's from whom they went.
create table loyalty.moved_transactions (
    transfer_no bigint not null references loyalty.transfers,
    transaction_no bigint not null,
    from_no bigint not null,
    stated boolean not null,
    primary key (transfer_no, transaction_no)
);

create index moved_transactions_stated on loyalty.moved_transactions (transaction_no) where stated;

-- In whose statement a transaction stands that has gone over since.
create view loyalty.transactions_stated as
select distinct on (m.transaction_no)
    m.transaction_no,
    m.from_no as member_no
from loyalty.moved_transactions as m
where m.stated
order by m.transaction_no asc, m.transfer_no asc;

create table loyalty.moved_lots (
    transfer_no bigint not null references loyalty.transfers,
    from_lot_no bigint not null,
    to_lot_no bigint not null,
    points bigint not null check (points > 0),
    primary key (transfer_no, to_lot_no)
);

-- Exact points as a statement keeps them: in all, older than its window, of no sale, and by the period of the sale.
create type loyalty.exact_state as (
    stated_period date,
    exact_sum numeric,
    exact_before_window numeric,
    exact_unnamed numeric,
    exact_window numeric []
);

-- A state as it is when so many months later nothing has come.
create function loyalty.exact_state_at(state loyalty.exact_state, wanted date) returns loyalty.exact_state
language sql immutable as $$
    select case
        when wanted is null or state.stated_period is null or wanted = state.stated_period
            then (
                wanted, state.exact_sum, state.exact_before_window, state.exact_unnamed, state.exact_window
            )::loyalty.exact_state
        else (
            wanted,
            state.exact_sum,
            state.exact_before_window + coalesce((
                select sum(w.exact) from unnest(state.exact_window) with ordinality as w (exact, age) where w.age + m.months > 12
            ), 0),
            state.exact_unnamed,
            (array_fill(0::numeric, array[least(m.months, 12)]) || state.exact_window)[1 : 12]
        )::loyalty.exact_state
    end
    from (
        select ((extract(year from wanted) - extract(year from state.stated_period)) * 12
            + extract(month from wanted) - extract(month from state.stated_period))::integer as months
    ) as m
$$;

-- Two states of the same month added, or the second one taken away.
create function loyalty.add_exact_states(one loyalty.exact_state, other loyalty.exact_state, sign integer)
returns loyalty.exact_state language sql immutable as $$
    select (
        one.stated_period,
        one.exact_sum + sign * other.exact_sum,
        one.exact_before_window + sign * other.exact_before_window,
        one.exact_unnamed + sign * other.exact_unnamed,
        array(
            select coalesce(one.exact_window[age], 0) + sign * coalesce(other.exact_window[age], 0)
            from generate_series(1, greatest(cardinality(one.exact_window), cardinality(other.exact_window))) as age
            order by age
        )
    )::loyalty.exact_state
$$;

-- The exact points of some of a member's transactions, of those in closed months, as a statement of the month given would keep them.
create function loyalty.exact_state_of(member bigint, moving bigint [], stated date, closed date) returns loyalty.exact_state
language sql stable as $$
    with rated as materialized (
        select
            t.sale_period,
            t.unnamed and t.sale_period = t.booked_period as unnamed,
            sum(t.eligible * t.points_per_unit) as exact
        from loyalty.rated_transactions as t
        where t.member_no = member and t.transaction_no = any(moving)
            and t.booked_period in (select p.period from loyalty.periods as p where p.period <= closed)
        group by t.sale_period, t.unnamed and t.sale_period = t.booked_period
    )

    select (
        stated,
        coalesce((select sum(r.exact) from rated as r), 0),
        coalesce((
            select sum(r.exact) from rated as r where not r.unnamed and r.sale_period <= stated - interval '12 months'
        ), 0),
        coalesce((select sum(r.exact) from rated as r where r.unnamed), 0),
        case when stated is null then '{}' else array(
            select coalesce((
                select sum(r.exact) from rated as r
                where not r.unnamed and r.sale_period = (stated - make_interval(months => slot.age - 1))::date
            ), 0)
            from generate_series(1, 12) as slot (age)
            order by slot.age
        ) end
    )::loyalty.exact_state
$$;

-- Brings what real time counts as posted in months not closed in step with a member's exact sums as they are now: each month's is the
-- floor through it less the floor before it. The differences are kept for the close, take-backs beside. How many points they are.
create function loyalty.count_anew(transfer bigint, member bigint, exact_sum numeric) returns bigint language sql as $$
    with running as (
        select
            s.period,
            s.posted,
            (
                floor(count_anew.exact_sum + sum(s.exact) over (order by s.period))
                - floor(count_anew.exact_sum + sum(s.exact) over (order by s.period) - s.exact)
            )::bigint as due
        from loyalty.till_sums as s
        where s.member_no = member
    ),

    counted as (
        update loyalty.till_sums as s set posted = r.due
        from running as r
        where s.member_no = member and s.period = r.period and s.posted <> r.due
    ),

    kept as (
        insert into loyalty.moved_earnings (transfer_no, member_no, period, sale_period, points)
        select
            transfer, member, r.period, r.period,
            r.due - r.posted - coalesce((
                select sum(o.points) from loyalty.moved_earnings as o
                where o.transfer_no = transfer and o.member_no = member and o.period = r.period
            ), 0)
        from running as r
        returning points
    )

    select coalesce(sum(r.due - r.posted), 0)::bigint from running as r
$$;

-- Moves transactions from one member to another, both of whose accounts the caller holds, with all that is counted of them. How many
-- points appear (or, below zero, are gone) by adding the exact sums: the caller posts them.
create function loyalty.move_transactions(transfer loyalty.transfers, moving bigint []) returns bigint language plpgsql as $$
#variable_conflict use_variable
declare
    closed constant date := (select max(p.period) from loyalty.periods as p where p.state = 'closed');
    next_open constant date := coalesce((closed + interval '1 month')::date, '-infinity');
    months constant date [] := array(select p.period from loyalty.periods as p);
    family constant bigint [] := loyalty.family_of(transfer.from_no) || loyalty.family_of(transfer.to_no);
    giver loyalty.accounts;
    taker loyalty.accounts;
    stated date;
    moved loyalty.exact_state;
    left_over loyalty.exact_state;
    joined loyalty.exact_state;
    appear bigint;
begin
    select a.* into giver from loyalty.accounts as a where a.member_no = transfer.from_no;
    select a.* into taker from loyalty.accounts as a where a.member_no = transfer.to_no;
    stated := greatest(giver.stated_period, taker.stated_period);
    moved := loyalty.exact_state_of(transfer.from_no, moving, stated, closed);
    left_over := loyalty.add_exact_states(loyalty.exact_state_at((
        giver.stated_period, giver.exact_sum, giver.exact_before_window, giver.exact_unnamed, giver.exact_window
    )::loyalty.exact_state, stated), moved, -1);
    joined := loyalty.add_exact_states(loyalty.exact_state_at((
        taker.stated_period, taker.exact_sum, taker.exact_before_window, taker.exact_unnamed, taker.exact_window
    )::loyalty.exact_state, stated), moved, 1);

    insert into loyalty.moved_transactions (transfer_no, transaction_no, from_no, stated)
    select transfer.transfer_no, t.transaction_no, t.member_no, coalesce(t.booked_period <= closed, false)
    from loyalty.transactions as t
    where t.booked_period = any(months) and t.member_no = transfer.from_no and t.transaction_no = any(moving);

    -- what real time has rated of them; and what it has taken back of closed months' sales
    with live as (
        select t.booked_period as period, sum(t.eligible * t.points_per_unit) as exact
        from loyalty.rated_transactions as t
        inner join loyalty.transactions as x
            on t.booked_period = x.booked_period and t.member_no = x.member_no and t.transaction_no = x.transaction_no
        where t.booked_period = any(months) and t.member_no = transfer.from_no and t.transaction_no = any(moving) and t.booked_period >= next_open and x.live
        group by t.booked_period
    ),

    given as (
        update loyalty.till_sums as s set exact = s.exact - l.exact
        from live as l where s.member_no = transfer.from_no and s.period = l.period
    )

    insert into loyalty.till_sums as s (member_no, period, exact, posted)
    select transfer.to_no, l.period, l.exact, 0 from live as l
    on conflict (member_no, period) do update set exact = s.exact + excluded.exact;

    insert into loyalty.moved_earnings (transfer_no, member_no, period, sale_period, points)
    select transfer.transfer_no, side.member_no, b.period, b.sale_period, side.sign * b.points
    from (
        select t.booked_period as period, least(t.sale_period, t.booked_period) as sale_period, sum(e.points) as points
        from loyalty.transactions as t
        inner join loyalty.entries as e
            on t.booked_period = e.period and e.member_no = any(family) and e.kind = 'take_back' and e.cause = -t.transaction_no
        where t.booked_period = any(months) and t.member_no = transfer.from_no and t.transaction_no = any(moving) and t.booked_period >= next_open
            and t.sale_period < t.booked_period
        group by t.booked_period, least(t.sale_period, t.booked_period)
    ) as b
    cross join (values (transfer.from_no, -1), (transfer.to_no, 1)) as side (member_no, sign);

    -- each stays rated as it was
    update loyalty.transactions as t
    set
        member_no = transfer.to_no,
        merged_multiplier = coalesce(t.merged_multiplier, r.points_per_unit / nullif(r.rate_per_unit, 0))
    from (
        select o.booked_period, o.transaction_no, o.points_per_unit, o.rate_per_unit, o.member_no
        from loyalty.rated_transactions as o
        where o.booked_period = any(months) and o.member_no = transfer.from_no and o.transaction_no = any(moving)
    ) as r
    where t.booked_period = r.booked_period and t.member_no = r.member_no and t.transaction_no = r.transaction_no;
    update loyalty.transaction_keys as k set member_no = transfer.to_no
    from loyalty.transactions as t
    where t.booked_period = any(months) and t.member_no = transfer.to_no and t.transaction_no = any(moving)
        and k.source_no = t.source_no and k.transaction_id = t.transaction_id and k.transaction_no = t.transaction_no;
    update loyalty.corrections as c set member_no = transfer.to_no
    where c.member_no = transfer.from_no and c.corrected_no = any(moving);
    update loyalty.corrections as c set replacement_member_no = transfer.to_no
    where c.replacement_member_no = transfer.from_no and c.replacement_no = any(moving);

    appear := floor(left_over.exact_sum) - floor(giver.exact_sum) + floor(joined.exact_sum) - floor(taker.exact_sum)
        + loyalty.count_anew(transfer.transfer_no, transfer.from_no, left_over.exact_sum)
        + loyalty.count_anew(transfer.transfer_no, transfer.to_no, joined.exact_sum);
    insert into loyalty.transfer_states (
        transfer_no, member_no, from_period, earned_points,
        stated_period, exact_sum, exact_before_window, exact_unnamed, exact_window
    )
    values
    (
        transfer.transfer_no, transfer.from_no, next_open, floor(left_over.exact_sum) - floor(giver.exact_sum),
        left_over.stated_period, left_over.exact_sum, left_over.exact_before_window, left_over.exact_unnamed, left_over.exact_window
    ),
    (
        transfer.transfer_no, transfer.to_no, next_open, floor(joined.exact_sum) - floor(taker.exact_sum),
        joined.stated_period, joined.exact_sum, joined.exact_before_window, joined.exact_unnamed, joined.exact_window
    );
    update loyalty.accounts as a
    set
        stated_period = s.stated_period,
        exact_sum = s.exact_sum,
        exact_before_window = s.exact_before_window,
        exact_unnamed = s.exact_unnamed,
        exact_window = s.exact_window
    from loyalty.transfer_states as s
    where s.transfer_no = transfer.transfer_no and a.member_no = s.member_no;
    return appear;
end $$;

-- Moves lots, all or those named, with their dates, and with all of them what is owed; each by an entry of kind merge, whose cause is the
-- transfer's number and its own place in it, and one entry on the other side. With fewer, the last lot comes with so many points less: they are gone. The caller holds both accounts, and pays debts
-- after it.
create function loyalty.move_lots(transfer loyalty.transfers, named bigint [], fewer bigint) returns void language plpgsql as $$
#variable_conflict use_variable
declare
    lot loyalty.lots;
    owing loyalty.debts;
    next_cause bigint := transfer.transfer_no * 1000000;
    given bigint := 0;
    taken bigint := 0;
    points bigint;
    entry bigint;
    debit bigint;
begin
    for lot in
        select l.* from loyalty.lots as l
        where l.member_no = transfer.from_no and l.remaining > 0 and (named is null or l.lot_no = any(named))
        order by l.lot_no desc
    loop
        points := lot.remaining - least(fewer, lot.remaining);
        fewer := fewer - (lot.remaining - points);
        given := given + lot.remaining;
        taken := taken + points;
        continue when points = 0;
        next_cause := next_cause + 1;
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
        values (
            transfer.period, transfer.to_no, 'merge', next_cause, points, transfer.at, transfer.at, transfer.merge_no::text
        )
        returning entry_id into entry;
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
        values (entry, transfer.to_no, transfer.period, points, points, lot.available_at, lot.expires_at);
        insert into loyalty.moved_lots (transfer_no, from_lot_no, to_lot_no, points)
        values (transfer.transfer_no, lot.lot_no, entry, points);
    end loop;
    for owing in
        select d.* from loyalty.debts as d where d.member_no = transfer.from_no and named is null order by d.entry_id
    loop
        next_cause := next_cause + 1;
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
        values (
            transfer.period, transfer.to_no, 'merge', next_cause, -owing.owed, transfer.at, transfer.at,
            transfer.merge_no::text
        )
        returning entry_id into entry;
        insert into loyalty.debts (member_no, entry_id, owed) values (transfer.to_no, entry, owing.owed);
        taken := taken - owing.owed;
    end loop;
    update loyalty.accounts as a set balance = a.balance + taken where a.member_no = transfer.to_no;
    if named is null then
        perform loyalty.clear_balance(transfer.from_no, 'merge', -transfer.transfer_no, null, transfer.period, transfer.at);
    elsif given > 0 then
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
        values (
            transfer.period, transfer.from_no, 'merge', -transfer.transfer_no, -given, transfer.at, transfer.at,
            transfer.merge_no::text
        )
        returning entry_id into debit;
        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points)
        select l.member_no, l.lot_no, debit, l.remaining from loyalty.lots as l
        where l.member_no = transfer.from_no and l.remaining > 0 and l.lot_no = any(named);
        update loyalty.lots as l set remaining = 0
        where l.member_no = transfer.from_no and l.remaining > 0 and l.lot_no = any(named);
        update loyalty.accounts as a set balance = a.balance - given where a.member_no = transfer.from_no;
    end if;
end $$;

create function loyalty.begin_transfer(merge_no bigint, from_no bigint, to_no bigint, at timestamptz) returns loyalty.transfers
language plpgsql as $$
declare
    begun loyalty.transfers;
begin
    insert into loyalty.transfers (merge_no, from_no, to_no, period, at)
    values (merge_no, from_no, to_no, loyalty.book(at), at)
    returning * into begun;
    return begun;
end $$;

-- Posts a point that two exact sums give together and neither alone: good at once, for as long as the rules of the month say.
create function loyalty.post_appeared(transfer loyalty.transfers, points bigint) returns void language plpgsql as $$
#variable_conflict use_variable
declare
    entry bigint;
begin
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
    values (
        transfer.period, transfer.to_no, 'merge', -transfer.transfer_no, points, transfer.at, transfer.at, transfer.merge_no::text
    )
    returning entry_id into entry;
    insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
    select
        entry, transfer.to_no, transfer.period, points, points, transfer.at,
        loyalty.points_expire_at(transfer.period, v.expiry_months)
    from loyalty.rules_in_force as v where v.from_period <= transfer.period and transfer.period < v.until_period;
    update loyalty.accounts as a set balance = a.balance + points where a.member_no = transfer.to_no;
end $$;

-- The kept member takes the lost one's tier where that is the higher, and keeps a tier for as long as either would. When it moved.
create function loyalty.take_higher_tier(kept bigint, lost bigint, month date, at timestamptz) returns timestamptz
language plpgsql as $$
#variable_conflict use_variable
declare
    rules loyalty.rules_versions;
    one loyalty.accounts;
    other loyalty.accounts;
    moved_at timestamptz;
begin
    select v.* into rules from loyalty.rules_at(at) as v;
    select a.* into one from loyalty.accounts as a where a.member_no = kept;
    select a.* into other from loyalty.accounts as a where a.member_no = lost;
    if other.tier_no = one.tier_no then
        update loyalty.accounts as a set held_until = greatest(one.held_until, other.held_until) where a.member_no = kept;
    elsif (
        select o.rung > coalesce((
            select k.rung from loyalty.ladder as k where k.version = rules.version and k.tier_no = one.tier_no
        ), 1)
        from loyalty.ladder as o where o.version = rules.version and o.tier_no = other.tier_no
    ) then
        moved_at := greatest(
            at, one.tier_since, (select max(p.ends_at) from loyalty.periods as p where p.state = 'closed')
        ) + interval '1 microsecond';
        insert into loyalty.tier_history (
            member_no, effective_at, from_tier_no, tier_no, period, upward, rules_version, recorded_at
        )
        values (kept, moved_at, one.tier_no, other.tier_no, month, true, rules.version, at);
        update loyalty.accounts as a
        set tier_no = other.tier_no, tier_since = moved_at, held_until = other.held_until
        where a.member_no = kept;
    end if;
    return moved_at;
end $$;

-- The kept member's fields that are empty are filled with the lost one's, the stricter consent holds, and the identifiers go over. Which
-- fields were filled.
create function loyalty.join_people(kept bigint, lost bigint) returns text [] language plpgsql as $$
#variable_conflict use_variable
declare
    one loyalty.members;
    other loyalty.members;
begin
    select m.* into one from loyalty.members as m where m.member_no = kept;
    select m.* into other from loyalty.members as m where m.member_no = lost;
    update loyalty.members as m
    set
        email = coalesce(m.email, other.email), phone = coalesce(m.phone, other.phone),
        first_name = coalesce(m.first_name, other.first_name), last_name = coalesce(m.last_name, other.last_name),
        birthday = coalesce(m.birthday, other.birthday), joined_on = coalesce(m.joined_on, other.joined_on),
        time_zone = coalesce(m.time_zone, other.time_zone), language = coalesce(m.language, other.language),
        email_consent = m.email_consent and other.email_consent, sms_consent = m.sms_consent and other.sms_consent
    where m.member_no = kept;
    update loyalty.members as m set email_consent = false, sms_consent = false where m.member_no = lost;
    update loyalty.members as m set merged_into = kept where m.member_no = lost or m.merged_into = lost;
    delete from loyalty.identifiers as i
    where i.member_no = lost and exists (
        select from loyalty.identifiers as o
        where o.member_no = kept and o.kind = i.kind and o.platform = i.platform and o.value = i.value
    );
    update loyalty.identifiers as i set member_no = kept, origin_no = coalesce(i.origin_no, lost) where i.member_no = lost;
    update loyalty.reviews as r
    set state = 'lapsed', decided_by = 'system', decided_at = r.asked_at, note = 'the member is merged into another'
    where r.member_no = lost and r.state = 'open';
    return array(
        select f.name
        from (values
            ('email', one.email is null and other.email is not null), ('phone', one.phone is null and other.phone is not null),
            ('first_name', one.first_name is null and other.first_name is not null),
            ('last_name', one.last_name is null and other.last_name is not null),
            ('birthday', one.birthday is null and other.birthday is not null),
            ('joined_on', one.joined_on is null and other.joined_on is not null),
            ('time_zone', one.time_zone is null and other.time_zone is not null),
            ('language', one.language is null and other.language is not null)
        ) as f (name, filled)
        where f.filled
    );
end $$;

-- What a merge or its undoing did: the points that went over (below zero if they were owed), those that appeared, and how many
-- transactions.
create type loyalty.merge_answer as (
    merge_no bigint,
    points bigint,
    appeared bigint,
    transactions bigint
);

-- Merges one member into another; the caller holds both accounts, has recorded what time did to them, and pays debts after it.
create function loyalty.merge_members(kept bigint, lost bigint, by_whom text, at timestamptz) returns loyalty.merge_answer
language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.merge_answer;
    transfer loyalty.transfers;
    moving bigint [];
begin
    insert into loyalty.merges (kept_no, lost_no, merged_by, merged_at, lost_email_consent, lost_sms_consent, lost_held_until)
    select kept, lost, by_whom, at, m.email_consent, m.sms_consent, a.held_until
    from loyalty.members as m
    inner join loyalty.accounts as a on m.member_no = a.member_no
    where m.member_no = lost
    returning merge_no into answer.merge_no;
    transfer := loyalty.begin_transfer(answer.merge_no, lost, kept, at);
    answer.points := (select a.balance from loyalty.accounts as a where a.member_no = lost);
    moving := array(
        select t.transaction_no from loyalty.transactions as t
        where t.member_no = lost and t.booked_period in (select p.period from loyalty.periods as p)
    );
    answer.transactions := cardinality(moving);
    perform loyalty.join_referrals(kept, lost, at);
    answer.appeared := loyalty.move_transactions(transfer, moving);
    perform loyalty.move_beside(transfer, moving);
    perform loyalty.move_lots(transfer, null, greatest(-answer.appeared, 0));
    if answer.appeared > 0 then
        perform loyalty.post_appeared(transfer, answer.appeared);
    end if;
    perform loyalty.join_consents(kept, lost, at);
    perform loyalty.join_beside(kept, lost, at);
    update loyalty.merges as g
    set
        tier_moved_at = loyalty.take_higher_tier(kept, lost, transfer.period, at),
        filled = loyalty.join_people(kept, lost)
    where g.merge_no = answer.merge_no;
    update loyalty.accounts as a set held_until = '9999-12-01' where a.member_no = lost and a.held_until is not null;
    return answer;
end $$;

-- Points that came to a lost member after the merge go over too; the points. The caller holds both accounts and pays debts after it.
create function loyalty.follow_merge(merge loyalty.merges, at timestamptz) returns bigint language plpgsql as $$
declare
    points constant bigint := (select a.balance from loyalty.accounts as a where a.member_no = merge.lost_no);
    kept constant bigint := (select m.merged_into from loyalty.members as m where m.member_no = merge.lost_no);
begin
    if points <> 0 then
        perform loyalty.move_lots(loyalty.begin_transfer(merge.merge_no, merge.lost_no, kept, at), null, 0);
    end if;
    return points;
end $$;

-- Undoes a merge: the transactions that were the lost member's, with their refunds and corrections since, and what is left of the lots
-- that went over, go back. The caller holds both accounts and has recorded what time did to them.
create function loyalty.unmerge_members(merge loyalty.merges, by_whom text, at timestamptz) returns loyalty.merge_answer
language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.merge_answer;
    transfer loyalty.transfers := loyalty.begin_transfer(merge.merge_no, merge.kept_no, merge.lost_no, at);
    moving bigint [];
    named bigint [];
begin
    answer.merge_no := merge.merge_no;
    moving := array(
        with recursive theirs as (
            select m.transaction_no
            from loyalty.transfers as x
            inner join loyalty.moved_transactions as m on x.transfer_no = m.transfer_no and m.from_no = merge.lost_no
            where x.merge_no = merge.merge_no
            union
            select l.transaction_no
            from theirs as h
            inner join (
                select t.sale_no as of_no, t.transaction_no from loyalty.transactions as t where t.member_no = merge.kept_no
                union all
                select c.corrected_no, c.reversal_no from loyalty.corrections as c where c.member_no = merge.kept_no
                union all
                select c.corrected_no, c.replacement_no from loyalty.corrections as c
                where c.replacement_member_no = merge.kept_no
            ) as l on h.transaction_no = l.of_no
        )

        select h.transaction_no from theirs as h
        inner join loyalty.transactions as t on t.member_no = merge.kept_no and h.transaction_no = t.transaction_no
    );
    named := array(
        select m.to_lot_no
        from loyalty.transfers as x
        inner join loyalty.moved_lots as m on x.transfer_no = m.transfer_no
        inner join loyalty.lots as l on l.member_no = merge.kept_no and m.to_lot_no = l.lot_no
        where x.merge_no = merge.merge_no and x.to_no = merge.kept_no and l.remaining > 0
    );
    answer.transactions := cardinality(moving);
    answer.appeared := loyalty.move_transactions(transfer, moving);
    perform loyalty.move_beside(transfer, moving);
    perform loyalty.move_lots(transfer, named, greatest(-answer.appeared, 0));
    if answer.appeared > 0 then
        perform loyalty.post_appeared(transfer, answer.appeared);
    end if;
    answer.points := (select a.balance from loyalty.accounts as a where a.member_no = merge.lost_no);
    perform loyalty.part_people(merge);
    perform loyalty.part_beside(merge, at);
    update loyalty.accounts as a set held_until = merge.lost_held_until where a.member_no = merge.lost_no;
    update loyalty.merges as g set undone_by = by_whom, undone_at = at where g.merge_no = merge.merge_no;
    return answer;
end $$;

-- The lost member is one again: its consents and identifiers come back, and what it filled of the other's fields, as far as that is
-- unchanged, goes. The other's consents stay as they are.
create function loyalty.part_people(merge loyalty.merges) returns void language plpgsql as $$
begin
    update loyalty.members as m
    set
        email_consent = merge.lost_email_consent and not loyalty.withdrawn_since(merge, 'email'),
        sms_consent = merge.lost_sms_consent and not loyalty.withdrawn_since(merge, 'sms'),
        merged_into = null
    where m.member_no = merge.lost_no;
    -- who had been merged into the lost one before is that one's again
    update loyalty.members as m set merged_into = merge.lost_no
    from loyalty.merges as g
    where g.lost_no = m.member_no and g.kept_no = merge.lost_no and g.undone_at is null;
    update loyalty.members as k
    set
        email = case when 'email' = any(merge.filled) then nullif(k.email, o.email) else k.email end,
        phone = case when 'phone' = any(merge.filled) then nullif(k.phone, o.phone) else k.phone end,
        first_name = case when 'first_name' = any(merge.filled) then nullif(k.first_name, o.first_name) else k.first_name end,
        last_name = case when 'last_name' = any(merge.filled) then nullif(k.last_name, o.last_name) else k.last_name end,
        birthday = case when 'birthday' = any(merge.filled) then nullif(k.birthday, o.birthday) else k.birthday end,
        joined_on = case when 'joined_on' = any(merge.filled) then nullif(k.joined_on, o.joined_on) else k.joined_on end,
        time_zone = case when 'time_zone' = any(merge.filled) then nullif(k.time_zone, o.time_zone) else k.time_zone end,
        language = case when 'language' = any(merge.filled) then nullif(k.language, o.language) else k.language end
    from loyalty.members as o
    where k.member_no = merge.kept_no and o.member_no = merge.lost_no;
    update loyalty.identifiers as i set member_no = merge.lost_no, origin_no = nullif(i.origin_no, merge.lost_no)
    where i.member_no = merge.kept_no and i.origin_no = any(loyalty.family_of(merge.lost_no));
end $$;
