-- Real time: purchases, refunds, redemptions and vouchers at the till, each in one transaction. What is said here of one member is
-- what the close says of a batch: a purchase is rated by loyalty.rated_transactions, a refund takes points by sql/ledger/take_points.
-- The account is locked first, as a close does, so that the two can't deadlock.

-- What real time has rated and posted in a month that no close has evened out yet: posted is the floor of the member's exact sum
-- with it, less the floor without.
create table loyalty.till_sums (
    member_no bigint not null,
    period date not null,
    exact numeric not null,
    posted bigint not null,
    primary key (member_no, period)
) with (fillfactor = 70);

comment on column loyalty.till_sums.exact is 'exact points of the transactions booked to the month that real time has rated';
comment on column loyalty.till_sums.posted is 'points that real time, or a close evening it out, has posted in the month';

alter table loyalty.transactions add column live boolean;

comment on column loyalty.transactions.live is 'true where real time rated it at once; of all others the close is the first to know';

-- A debit of one member stands in the working tables of run -1 while its transaction takes its points.
alter table loyalty.work_points add column cause bigint;

comment on column loyalty.work_points.cause is 'of the debit''s entry, where it isn''t the close''s own or its sales'' period';

create unlogged table loyalty.work_points_till partition of loyalty.work_points
for values from (-1, minvalue) to (-1, maxvalue);
alter table loyalty.work_points_till add primary key (member_no, sale_period);

-- Points spent, or held for a checkout: the debit is posted when they are held, and undone if the hold ends without a commit. So
-- held points can't be spent twice, can't expire, and come back as those of an undone redemption do.
create table loyalty.redemptions (
    redemption_no bigint generated always as identity primary key,
    member_no bigint not null,
    period date not null,
    entry_id bigint not null,
    points bigint not null check (points > 0),
    worth bigint not null,
    purpose text not null check (purpose in ('money_off', 'reward', 'gift')),
    reference text check (length(reference) between 1 and 200),
    state text not null check (state in ('held', 'committed', 'cancelled', 'lapsed')),
    asked_at timestamptz not null,
    held_until timestamptz,
    ended_at timestamptz,
    check ((state = 'held') = (ended_at is null)),
    check (state <> 'held' or held_until is not null)
);

comment on column loyalty.redemptions.worth is 'minor units of the programme''s currency, by the point value of the day';
comment on column loyalty.redemptions.reference is 'the order paid, the reward of the catalogue, or the gift that the warehouse sends';

create index redemptions_held on loyalty.redemptions (held_until) where state = 'held';
create index redemptions_of_member on loyalty.redemptions (member_no, asked_at);
create index held_points_of_member on loyalty.redemptions (member_no) where state = 'held';

-- Which points an undone redemption gave back to the lots they had come from; entry_id is the undo.
create table loyalty.lot_returns (
    member_no bigint not null,
    lot_no bigint not null,
    entry_id bigint not null,
    points bigint not null check (points > 0),
    primary key (member_no, entry_id, lot_no)
);

-- The warehouse's work for a gift that points paid.
create table loyalty.redeemed_gifts (
    redemption_no bigint primary key references loyalty.redemptions,
    gift text not null,
    state text not null default 'open' check (state in ('open', 'picked', 'shipped', 'delivered', 'cancelled')),
    reason text,
    asked_at timestamptz not null,
    changed_at timestamptz not null
);

-- Who holds or has used a voucher, and for what: a row for those of which somebody asked.
create table loyalty.voucher_uses (
    code text primary key,
    reference text check (length(reference) between 1 and 200),
    held_until timestamptz,
    redeemed_at timestamptz
);

create index vouchers_held on loyalty.voucher_uses (held_until) where redeemed_at is null and held_until is not null;

-- The cause of an entry by which the close of a month evens out what real time has posted in a later one: the month as yyyymm, times a
-- hundred. Real time's own causes are below zero: minus the transaction's number.
create function loyalty.evening_cause(closed date) returns bigint language sql immutable parallel safe as $$
    select (extract(year from closed) * 100 + extract(month from closed))::bigint * 100
$$;

-- Books to the month of an instant or, where that is no longer open, to the earliest open one: its row is held shared until the
-- transaction ends, so that its close waits. A close that began between the look and the lock makes it look again.
create function loyalty.book(instant timestamptz) returns date language plpgsql as $$
declare
    month constant date := loyalty.period_of(instant);
    booked date;
    state text;
begin
    loop
        select greatest(month, (max(p.period) + interval '1 month')::date) into booked
        from loyalty.periods as p where p.state <> 'open';
        select p.state into state from loyalty.periods as p where p.period = booked for share;
        if not found then
            perform loyalty.ensure_period(booked);
        elsif state = 'open' then
            return booked;
        end if;
    end loop;
end $$;

-- When the points of a month expire that are good for so many months; null for ever.
create function loyalty.points_expire_at(period date, months integer) returns timestamptz
language sql stable parallel safe as $$
    select loyalty.period_start((period + make_interval(months => months + 1))::date)
$$;

-- The end of the n-th day after the day of an instant, in the programme's zone.
create function loyalty.end_of_day(instant timestamptz, days integer) returns timestamptz
language sql stable parallel safe as $$
    select loyalty.day_start((instant at time zone p.time_zone)::date + days + 1) from loyalty.programme as p
$$;

-- The same time of day so many days later, in the programme's zone.
create function loyalty.days_later(instant timestamptz, days integer) returns timestamptz
language sql stable parallel safe as $$
    select case
        when days = 0 then instant
        else ((instant at time zone p.time_zone) + make_interval(days => days)) at time zone p.time_zone
    end
    from loyalty.programme as p
$$;

-- Major units as whole minor units; null for what is finer than the currency, or out of bounds.
create function loyalty.in_minor_units(amount numeric, digits integer) returns bigint
language sql immutable parallel safe as $$
    select case
        when amount = round(amount, digits) and abs(amount) < ('1e' || 15 - digits)::numeric
            then (amount * ('1e' || digits)::numeric)::bigint
    end
$$;

-- What the books hold of a member at an instant, whatever has been recorded of it: lots past theirs are gone, and holds past theirs
-- have given their points back, to the lots or, where those were passed, with some days' grace.
create function loyalty.standing(member bigint, at timestamptz)
returns table (available bigint, pending bigint, owed bigint)
language sql stable as $$
    select
        greatest(h.available - d.owed, 0)::bigint,
        (h.pending - least(greatest(d.owed - h.available, 0), h.pending))::bigint,
        greatest(d.owed - h.available - h.pending, 0)::bigint
    from (
        select
            coalesce(sum(x.points) filter (where x.available_at <= at), 0) as available,
            coalesce(sum(x.points) filter (where x.available_at > at), 0) as pending
        from (
            select l.remaining as points, l.available_at from loyalty.lots as l
            where l.member_no = member and l.remaining > 0 and (l.expires_at is null or l.expires_at > at)
            union all
            select u.points, l.available_at
            from loyalty.redemptions as r
            inner join loyalty.rules_in_force as v on v.starts_at <= r.held_until and r.held_until < v.ends_at
            inner join loyalty.lot_uses as u on r.member_no = u.member_no and r.entry_id = u.entry_id
            inner join loyalty.lots as l on u.member_no = l.member_no and u.lot_no = l.lot_no
            where r.member_no = member and r.state = 'held' and r.held_until <= at
                and (
                    l.expires_at is null or l.expires_at > at
                    or (l.expires_at <= r.held_until and loyalty.end_of_day(r.held_until, v.undo_grace_days) > at)
                )
        ) as x
    ) as h
    cross join (select coalesce(sum(o.owed), 0) as owed from loyalty.debts as o where o.member_no = member) as d
$$;

-- The balance at an instant by what the books hold: less what has expired since, which the daily job is yet to record, and with what
-- holds past theirs give back. Reads but the few rows it is about, however many lots there are.
create function loyalty.balance_at(member bigint, in_books bigint, at timestamptz) returns bigint
language plpgsql stable as $$
begin
    if exists (
        select from loyalty.redemptions as r where r.member_no = member and r.state = 'held' and r.held_until <= at
    ) then
        return (select s.available + s.pending - s.owed from loyalty.standing(member, at) as s);
    end if;
    return in_books - (
        select coalesce(sum(l.remaining), 0) from loyalty.lots as l
        where l.member_no = member and l.remaining > 0 and l.expires_at <= at
    );
end $$;

-- A sale or refund as the till tells it; amounts in major units. Without occurred_at it happened now, without currency in that of the
-- programme. original_transaction_id is a refund's only.
create type loyalty.told_transaction as (
    source text,
    transaction_id text,
    customer_id text,
    original_transaction_id text,
    occurred_at timestamptz,
    amount numeric,
    currency text,
    tax numeric,
    shipping numeric,
    tip numeric,
    fee numeric,
    gift_card numeric,
    paid_with_points numeric,
    discount numeric,
    channel text,
    location text
);

-- What came of it. state: recorded; repeated (it was before, with the same words); other_content; or why nothing was written.
create type loyalty.till_answer as (
    state text,
    member_no bigint,
    transaction_no bigint,
    period date,
    points bigint,
    balance bigint,
    tier text,
    debit boolean,
    owes boolean,
    shortfall text
);

-- The number of a source, made known where it isn't. Again: gives the same number.
create function loyalty.source_number(wanted text) returns smallint language plpgsql as $$
declare
    number smallint;
begin
    select s.source_no into number from loyalty.sources as s where s.name = wanted;
    if not found then
        insert into loyalty.sources (name) values (wanted) on conflict do nothing;
        select s.source_no into number from loyalty.sources as s where s.name = wanted;
    end if;
    return number;
end $$;

-- Why a transaction of this moment can't be taken in, or null.
create function loyalty.moment_refused(occurred_at timestamptz, recorded_at timestamptz) returns text
language sql stable as $$
    select case
        when occurred_at > recorded_at + interval '1 day' then 'too_far_ahead'
        when occurred_at < (
            select loyalty.day_start(r.starts_on) from loyalty.rules_in_force as r
            where r.starts_at <= recorded_at and recorded_at < r.ends_at
        ) then 'too_early'
    end
$$;

-- Adds what real time has rated of a member in a month, and posts what the running floor gives with it: points to credit (positive)
-- or to take (negative), of which nothing is left to do for the sums. A fraction over is carried.
create function loyalty.add_exact(member bigint, month date, exact_sum numeric, added numeric) returns bigint
language plpgsql as $$
declare
    points bigint;
begin
    select floor(exact_sum + coalesce(sum(s.exact), 0) + added) - floor(exact_sum) - coalesce(sum(s.posted), 0) into points
    from loyalty.till_sums as s where s.member_no = member;
    points := case when added < 0 then least(points, 0) else greatest(points, 0) end;
    insert into loyalty.till_sums as s (member_no, period, exact, posted)
    values (member, month, added, points)
    on conflict (member_no, period) do update set exact = s.exact + excluded.exact, posted = s.posted + excluded.posted;
    return points;
end $$;

-- Whether a customer_id is a member's, also by way of a merge.
create function loyalty.is_called(member loyalty.members, wanted text) returns boolean language sql stable as $$
    select member.customer_id = wanted or exists (
        select from loyalty.members as o where o.customer_id = wanted and o.merged_into = member.member_no
    )
$$;

-- What was answered when a transaction was recorded, told again: what was posted for it, and how the member stands now.
create function loyalty.told_again(told loyalty.told_transaction, source smallint, at timestamptz) returns loyalty.till_answer
language sql stable as $$
    select (
        case
            when (t.kind, t.amount, t.currency, o.transaction_id) is not distinct from (
                case when told.original_transaction_id is null then 'sale' else 'refund' end,
                loyalty.in_minor_units(told.amount, c.minor_digits),
                case when told.original_transaction_id is null then coalesce(told.currency, v.currency) else t.currency end,
                told.original_transaction_id
            )
            and (told.customer_id is null or loyalty.is_called(m, told.customer_id))
            and (told.occurred_at is null or told.occurred_at = t.occurred_at)
            and (t.tax, t.shipping, t.tip, t.fee, t.gift_card, t.paid_with_points, t.discount, t.channel, t.location)
            is not distinct from (
                loyalty.in_minor_units(told.tax, c.minor_digits), loyalty.in_minor_units(told.shipping, c.minor_digits),
                loyalty.in_minor_units(told.tip, c.minor_digits), loyalty.in_minor_units(told.fee, c.minor_digits),
                loyalty.in_minor_units(told.gift_card, c.minor_digits),
                loyalty.in_minor_units(told.paid_with_points, c.minor_digits),
                loyalty.in_minor_units(told.discount, c.minor_digits), told.channel, told.location
            ) then 'repeated'
            else 'other_content'
        end,
        t.member_no, t.transaction_no, t.booked_period,
        coalesce((
            select sum(e.points) from loyalty.entries as e
            where e.period = t.booked_period and e.member_no = t.member_no and e.kind in ('earn', 'take_back')
                and e.cause = -t.transaction_no
        ), 0)::bigint,
        loyalty.balance_at(t.member_no, a.balance, at), tier.name, false, false, null
    )::loyalty.till_answer
    from loyalty.transaction_keys as k
    inner join loyalty.transactions as t
        on k.booked_period = t.booked_period and k.member_no = t.member_no and k.transaction_no = t.transaction_no
    inner join loyalty.members as m on t.member_no = m.member_no
    inner join loyalty.accounts as a on t.member_no = a.member_no
    inner join loyalty.tiers as tier on a.tier_no = tier.tier_no
    inner join loyalty.currencies as c on t.currency = c.currency
    inner join loyalty.rules_in_force as v on v.starts_at <= at and at < v.ends_at
    left join loyalty.transactions as o
        on t.sale_period = o.booked_period and t.member_no = o.member_no and t.sale_no = o.transaction_no
    where k.source_no = source and k.transaction_id = told.transaction_id
$$;

-- The amounts of a sale in minor units, with the rate of its day where its currency is another; state says why it can't be taken.
create type loyalty.till_money as (
    state text,
    currency text,
    exchange_rate numeric,
    amount bigint,
    tax bigint,
    shipping bigint,
    tip bigint,
    fee bigint,
    gift_card bigint,
    paid_with_points bigint,
    discount bigint
);

create function loyalty.money_told(told loyalty.told_transaction, happened_at timestamptz, at timestamptz)
returns loyalty.till_money language sql stable as $$
    select (
        case
            when num_nonnulls(
                m.amount, m.tax, m.shipping, m.tip, m.fee, m.gift_card, m.paid_with_points, m.discount
            ) < num_nonnulls(
                told.amount, told.tax, told.shipping, told.tip, told.fee, told.gift_card, told.paid_with_points, told.discount
            ) then 'too_fine'
            when m.elsewhere and m.rate is null then 'no_rate'
        end,
        m.currency, m.rate, m.amount, m.tax, m.shipping, m.tip, m.fee, m.gift_card, m.paid_with_points, m.discount
    )::loyalty.till_money
    from (
        select
            c.currency,
            c.currency <> v.currency as elsewhere,
            case when c.currency <> v.currency then e.rate * ('1e' || v.minor_digits - c.minor_digits)::numeric end as rate,
            loyalty.in_minor_units(told.amount, c.minor_digits) as amount,
            loyalty.in_minor_units(told.tax, c.minor_digits) as tax,
            loyalty.in_minor_units(told.shipping, c.minor_digits) as shipping,
            loyalty.in_minor_units(told.tip, c.minor_digits) as tip,
            loyalty.in_minor_units(told.fee, c.minor_digits) as fee,
            loyalty.in_minor_units(told.gift_card, c.minor_digits) as gift_card,
            loyalty.in_minor_units(told.paid_with_points, c.minor_digits) as paid_with_points,
            loyalty.in_minor_units(told.discount, c.minor_digits) as discount
        from loyalty.rules_in_force as v
        cross join loyalty.programme as g
        inner join loyalty.currencies as c on c.currency = coalesce(told.currency, v.currency)
        left join loyalty.exchange_rates as e
            on c.currency <> v.currency and c.currency = e.currency
            and e.day = (happened_at at time zone g.time_zone)::date
        where v.starts_at <= at and at < v.ends_at
    ) as m
$$;

-- The rows of a sale that is new: its key and itself, booked and live as said; null if somebody else has just recorded this id.
create function loyalty.add_sale(
    told loyalty.told_transaction,
    source smallint,
    money loyalty.till_money,
    member bigint,
    month date,
    happened_at timestamptz,
    recorded_at timestamptz,
    live boolean
) returns bigint language plpgsql as $$
#variable_conflict use_column
declare
    number bigint;
begin
    insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)
    values (source, told.transaction_id, nextval('loyalty.transactions_transaction_no_seq'), member, month)
    on conflict do nothing
    returning transaction_no into number;
    if found then
        insert into loyalty.transactions (
            booked_period, member_no, transaction_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency,
            exchange_rate, tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, live
        )
        overriding system value
        values (
            month, member, number, source, told.transaction_id, 'sale', happened_at, add_sale.recorded_at, money.amount,
            money.currency, money.exchange_rate, money.tax, money.shipping, money.tip, money.fee, money.gift_card,
            money.paid_with_points, money.discount, told.channel, told.location, nullif(add_sale.live, false)
        );
    end if;
    return number;
end $$;

-- Rates a sale that is recorded, with the account locked, and posts what the running floor gives for it: entry, lot, balance. How many
-- points that is.
create function loyalty.credit_sale(
    sale bigint,
    account loyalty.accounts,
    month date,
    pending_days integer,
    expiry_months integer,
    happened_at timestamptz,
    recorded_at timestamptz
) returns bigint language plpgsql as $$
#variable_conflict use_column
declare
    exact numeric;
    posted bigint;
    lot bigint;
begin
    select t.eligible * t.points_per_unit into exact from loyalty.rated_transactions as t
    where t.booked_period = month and t.member_no = account.member_no and t.transaction_no = sale;
    posted := loyalty.add_exact(account.member_no, month, account.exact_sum, exact);
    if posted > 0 then
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
        values (month, account.member_no, 'earn', -sale, posted, happened_at, credit_sale.recorded_at)
        returning entry_id into lot;
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
        values (
            lot, account.member_no, month, posted, posted,
            loyalty.days_later(happened_at, pending_days), loyalty.points_expire_at(month, expiry_months)
        );
        update loyalty.accounts as a set balance = a.balance + posted where a.member_no = account.member_no;
    end if;
    return posted;
end $$;

-- Since when a member, whose account the caller has just locked, is erased; null for one who is not. One who was merged into another
-- while the lock was waited for makes the caller begin again.
create function loyalty.erased_while_waiting(member bigint) returns timestamptz language plpgsql as $$
declare
    found_now record;
begin
    select m.erased_at, m.merged_into into found_now from loyalty.members as m where m.member_no = member;
    if found_now.merged_into is not null then
        raise exception 'the member has just been merged into another' using errcode = 'serialization_failure';
    end if;
    return found_now.erased_at;
end $$;

-- Records a sale and, where the rules of its month earn on purchase, posts its points. A customer who is not known is to be enrolled
-- first. Nothing is written unless the state is recorded. Again: the key of transactions refuses a second one.
create function loyalty.record_purchase(told loyalty.told_transaction, recorded_at timestamptz) returns loyalty.till_answer
language plpgsql as $$
declare
    happened_at constant timestamptz := coalesce(told.occurred_at, recorded_at);
    answer loyalty.till_answer;
    source smallint;
    erased timestamptz;
    enrolled timestamptz;
    account loyalty.accounts;
    money loyalty.till_money;
    rules record;
begin
    answer.state := loyalty.moment_refused(happened_at, recorded_at);
    if answer.state is not null then
        return answer;
    end if;
    select coalesce(m.merged_into, m.member_no), m.enrolled_at into answer.member_no, enrolled
    from loyalty.members as m where m.customer_id = told.customer_id;
    if not found then
        answer.state := loyalty.of_nobody(told, happened_at, recorded_at);
        return answer;
    end if;
    source := loyalty.source_number(told.source);
    select a.* into account from loyalty.accounts as a where a.member_no = answer.member_no for update;
    erased := loyalty.erased_while_waiting(answer.member_no);
    if exists (
        select from loyalty.transaction_keys as k where k.source_no = source and k.transaction_id = told.transaction_id
    ) then
        return loyalty.told_again(told, source, recorded_at);
    end if;
    money := loyalty.money_told(told, happened_at, recorded_at);
    answer.state := case
        when erased is not null then 'erased'
        when happened_at < enrolled and enrolled >= loyalty.claimed_until(happened_at) then 'unclaimed'
        when money.currency is null then 'no_such_currency'
        else money.state
    end;
    if answer.state is not null then
        return answer;
    end if;

    answer.period := loyalty.book(happened_at);
    select v.earning, v.pending_days, v.expiry_months into rules from loyalty.rules_in_force as v
    where v.from_period <= answer.period and answer.period < v.until_period;
    answer.transaction_no := loyalty.add_sale(
        told, source, money, answer.member_no, answer.period, happened_at, recorded_at, rules.earning = 'on_purchase'
    );
    if answer.transaction_no is null then -- it came for another member, or from a file
        return loyalty.told_again(told, source, recorded_at);
    end if;
    answer.points := 0;
    if rules.earning = 'on_purchase' then
        answer.points := loyalty.credit_sale(
            answer.transaction_no, account, answer.period, rules.pending_days, rules.expiry_months,
            least(happened_at, recorded_at), recorded_at
        );
    end if;
    answer.owes := answer.points > 0 and exists (select from loyalty.debts as d where d.member_no = answer.member_no);
    answer.tier := (select t.name from loyalty.tiers as t where t.tier_no = account.tier_no);
    answer.balance := loyalty.balance_at(answer.member_no, account.balance + answer.points, recorded_at);
    answer.state := 'recorded';
    return answer;
end $$;

-- Records a refund of a sale and, where real time or a close has posted the sale's points, says which are to be taken: the debit stands
-- in the working table of run -1, for sql/ledger/take_points in the same transaction. Nothing is written unless the state is recorded.
-- Again: the key of transactions refuses a second one.
create function loyalty.record_refund(told loyalty.told_transaction, recorded_at timestamptz) returns loyalty.till_answer
language plpgsql as $$
#variable_conflict use_column
declare
    happened_at constant timestamptz := coalesce(told.occurred_at, record_refund.recorded_at);
    source constant smallint := loyalty.source_number(told.source);
    answer loyalty.till_answer;
    account loyalty.accounts;
    named loyalty.transaction_keys;
    sale record;
    amount bigint;
    terms record;
    rated record;
begin
    answer.state := loyalty.moment_refused(happened_at, record_refund.recorded_at);
    if answer.state is not null then
        return answer;
    elsif exists (
        select from loyalty.transaction_keys as k where k.source_no = source and k.transaction_id = told.transaction_id
    ) then
        return loyalty.told_again(told, source, record_refund.recorded_at);
    end if;
    select k.* into named from loyalty.transaction_keys as k
    where k.source_no = source and k.transaction_id = told.original_transaction_id;
    if not found then
        answer.state := 'no_sale';
        return answer;
    end if;
    answer.member_no := named.member_no;
    select a.* into account from loyalty.accounts as a where a.member_no = answer.member_no for update;
    -- two who refund the same sale, or correct it, wait for each other
    select k.* into named from loyalty.transaction_keys as k
    where k.source_no = source and k.transaction_id = told.original_transaction_id
    for no key update;
    if named.member_no <> answer.member_no then
        raise exception 'the sale has just become another member''s' using errcode = 'serialization_failure';
    end if;

    select t.*, c.minor_digits, m.customer_id, m.erased_at into sale
    from loyalty.transactions as t
    inner join loyalty.currencies as c on t.currency = c.currency
    inner join loyalty.members as m on t.member_no = m.member_no
    where t.booked_period = named.booked_period and t.member_no = named.member_no and t.transaction_no = named.transaction_no;
    amount := loyalty.in_minor_units(told.amount, sale.minor_digits);
    answer.state := case
        when sale.kind <> 'sale' then 'not_a_sale'
        when sale.erased_at is not null then 'erased'
        when told.customer_id <> sale.customer_id
            and loyalty.member_called(told.customer_id) is distinct from answer.member_no then 'other_customer'
        when told.currency <> sale.currency then 'other_currency'
        when amount is null then 'too_fine'
        when amount > sale.amount - (
            select coalesce(sum(case o.kind when 'refund' then o.amount else -o.amount end), 0)
            from loyalty.transactions as o where o.sale_no = sale.transaction_no
        ) then 'too_much'
    end;
    if answer.state is not null then
        return answer;
    end if;

    answer.owes := loyalty.release_lapsed(answer.member_no, record_refund.recorded_at);
    answer.period := loyalty.book(happened_at);
    insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)
    values (
        source, told.transaction_id, nextval('loyalty.transactions_transaction_no_seq'), answer.member_no, answer.period
    )
    on conflict do nothing
    returning transaction_no into answer.transaction_no;
    if not found then
        return loyalty.told_again(told, source, record_refund.recorded_at);
    end if;
    select
        v.shortfall,
        v.earning = 'on_purchase' and (sale.live or coalesce(sale.booked_period <= account.stated_period, false)) as live
    into terms
    from loyalty.rules_in_force as v where v.from_period <= answer.period and answer.period < v.until_period;
    insert into loyalty.transactions (
        booked_period, member_no, transaction_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency,
        exchange_rate, channel, location, sale_no, sale_period, live
    )
    overriding system value
    values (
        answer.period, answer.member_no, answer.transaction_no, source, told.transaction_id, 'refund', happened_at,
        record_refund.recorded_at, amount, sale.currency, sale.exchange_rate, told.channel, told.location,
        sale.transaction_no, sale.booked_period, nullif(coalesce(terms.live, false), false)
    );

    answer.points := 0;
    if terms.live then
        select t.eligible * t.points_per_unit as exact, t.sale_period into rated from loyalty.rated_transactions as t
        where t.booked_period = answer.period and t.member_no = answer.member_no and t.transaction_no = answer.transaction_no;
        answer.points := loyalty.add_exact(answer.member_no, answer.period, account.exact_sum, rated.exact);
    end if;
    answer.debit := answer.points < 0;
    if answer.debit then
        insert into loyalty.work_points (run_no, member_no, sale_period, rank, exact, unnamed, points, cause)
        values (-1, answer.member_no, rated.sale_period, 1, 0, 0, answer.points, -answer.transaction_no);
    end if;
    answer.shortfall := terms.shortfall;
    select t.name into answer.tier from loyalty.tiers as t where t.tier_no = account.tier_no;
    answer.balance := loyalty.balance_at(
        answer.member_no,
        (select a.balance from loyalty.accounts as a where a.member_no = answer.member_no),
        record_refund.recorded_at
    );
    answer.state := 'recorded';
    return answer;
end $$;

-- Gives the points of a redemption back at an instant, by an entry of that instant's month: to the lots they came from, under their old
-- dates, or, where a lot has passed by then, to a new one that names the last of those and has some days' grace. The caller holds the
-- account; what is owed is paid next, by sql/ledger/pay_debts, where this says so.
create function loyalty.return_points(spent loyalty.redemptions, ended text, at timestamptz, recorded_at timestamptz)
returns boolean language plpgsql as $$
#variable_conflict use_column
declare
    month constant date := loyalty.book(return_points.at);
    entry bigint;
    passed record;
begin
    update loyalty.redemptions as r set state = ended, ended_at = return_points.at
    where r.redemption_no = spent.redemption_no;
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
    values (
        month, spent.member_no, 'undo', spent.redemption_no, spent.points, return_points.at, return_points.recorded_at,
        spent.redemption_no::text
    )
    returning entry_id into entry;
    with back as (
        insert into loyalty.lot_returns (member_no, lot_no, entry_id, points)
        select u.member_no, u.lot_no, entry, u.points
        from loyalty.lot_uses as u
        inner join loyalty.lots as l on u.member_no = l.member_no and u.lot_no = l.lot_no
        where u.member_no = spent.member_no and u.entry_id = spent.entry_id
            and (l.expires_at is null or l.expires_at > return_points.at)
        returning lot_no, points
    )

    update loyalty.lots as l set remaining = l.remaining + b.points
    from back as b where l.member_no = spent.member_no and l.lot_no = b.lot_no;
    select sum(u.points) as points, max(u.lot_no) as lot_no into passed
    from loyalty.lot_uses as u
    inner join loyalty.lots as l on u.member_no = l.member_no and u.lot_no = l.lot_no
    where u.member_no = spent.member_no and u.entry_id = spent.entry_id and l.expires_at <= return_points.at;
    if passed.points > 0 then
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at, origin_lot_no)
        select
            entry, spent.member_no, month, passed.points, passed.points, return_points.at,
            loyalty.end_of_day(return_points.at, v.undo_grace_days), passed.lot_no
        from loyalty.rules_in_force as v where v.starts_at <= return_points.at and return_points.at < v.ends_at;
    end if;
    update loyalty.accounts as a set balance = a.balance + spent.points where a.member_no = spent.member_no;
    update loyalty.redeemed_gifts as g
    set state = 'cancelled', reason = 'redemption ' || ended, changed_at = return_points.recorded_at
    where g.redemption_no = spent.redemption_no;
    return exists (select from loyalty.debts as d where d.member_no = spent.member_no);
end $$;

-- Ends a member's holds that nobody committed in time, as of the end of each; the caller holds the account. Whether something is owed
-- that the points that came back must pay. Again: finds none.
create function loyalty.release_lapsed(member bigint, recorded_at timestamptz) returns boolean language plpgsql as $$
declare
    spent loyalty.redemptions;
    owes boolean := false;
begin
    for spent in
        select r.* from loyalty.redemptions as r
        where r.member_no = member and r.state = 'held' and r.held_until <= release_lapsed.recorded_at
        order by r.held_until, r.redemption_no
        for update
    loop
        owes := loyalty.return_points(spent, 'lapsed', spent.held_until, release_lapsed.recorded_at);
    end loop;
    return owes;
end $$;

-- What a redemption comes to: done or not, and how the member stands after it. state is that of the redemption, or why there is none.
create type loyalty.redemption_answer as (
    state text,
    redemption_no bigint,
    member_no bigint,
    points bigint,
    worth bigint,
    held_until timestamptz,
    balance bigint,
    available bigint,
    owes boolean,
    currency text
);

-- Why so many points can't be redeemed by the rules of an instant, whatever the member has; null if they can. left_today: what the
-- member may redeem today yet, null without a cap.
create function loyalty.redemption_refused(rules loyalty.rules_versions, wanted bigint, left_today bigint) returns text
language sql immutable parallel safe as $$
    select case
        when wanted < rules.redemption_minimum then 'below_minimum'
        when wanted % rules.redemption_step <> 0 then 'wrong_step'
        when wanted > left_today then 'above_day_max'
    end
$$;

-- What a member, with those merged into it, may redeem on the day of an instant yet, in the programme's zone; null where the rules set no
-- cap.
create function loyalty.left_today(rules loyalty.rules_versions, member bigint, at timestamptz) returns bigint
language sql stable parallel safe as $$
    select rules.redemption_day_max - coalesce(sum(r.points), 0)::bigint
    from loyalty.redemptions as r
    where rules.redemption_day_max is not null
        and r.member_no = any(array(select m.member_no from loyalty.members as m where m.member_no = member or m.merged_into = member))
        and r.asked_at >= loyalty.end_of_day(at, -1) and r.asked_at < loyalty.end_of_day(at, 0)
        and (r.state = 'committed' or (r.state = 'held' and r.held_until > at))
$$;

-- The rules in force at an instant.
create function loyalty.rules_at(instant timestamptz) returns setof loyalty.rules_versions
language sql stable parallel safe as $$
    select v.* from loyalty.rules_versions as v
    where v.version = (
        select r.version from loyalty.rules_in_force as r where r.starts_at <= instant and instant < r.ends_at
    )
$$;

-- What points are worth in the programme's currency, in minor units.
create function loyalty.worth_of(points bigint, rules loyalty.rules_versions) returns bigint
language sql immutable parallel safe as $$
    select loyalty.half_even(points * rules.point_value * ('1e' || rules.minor_digits)::numeric)
$$;

-- Takes points from the lots that can be spent at an instant, the soonest to expire first, and records each use; how many it could take.
create function loyalty.use_lots(member bigint, entry bigint, wanted bigint, at timestamptz) returns bigint
language plpgsql as $$
declare
    lot record;
    taken bigint := 0;
begin
    for lot in
        select l.lot_no, l.remaining from loyalty.lots as l
        where l.member_no = member and l.remaining > 0 and l.available_at <= use_lots.at
            and (l.expires_at is null or l.expires_at > use_lots.at)
        order by l.expires_at asc nulls last, l.lot_no
    loop
        exit when taken = wanted;
        lot.remaining := least(lot.remaining, wanted - taken);
        update loyalty.lots as l set remaining = l.remaining - lot.remaining
        where l.member_no = member and l.lot_no = lot.lot_no;
        insert into loyalty.lot_uses (member_no, lot_no, entry_id, points) values (member, lot.lot_no, entry, lot.remaining);
        taken := taken + lot.remaining;
    end loop;
    return taken;
end $$;

-- Spends points, or holds them for a checkout: never more than are available. Nothing is written unless the state is held or
-- committed, but that holds past theirs are released; pay_first says that these gave back what must pay a debt first.
create function loyalty.redeem(
    customer text, wanted bigint, purpose text, reference text, hold boolean, at timestamptz
) returns loyalty.redemption_answer language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.redemption_answer;
    rules loyalty.rules_versions;
    month date;
    entry bigint;
begin
    select coalesce(m.merged_into, m.member_no) into answer.member_no
    from loyalty.members as m where m.customer_id = customer and m.erased_at is null;
    if not found then
        answer.state := 'unknown_customer';
        return answer;
    end if;
    select a.balance into answer.balance from loyalty.accounts as a where a.member_no = answer.member_no for update;
    if loyalty.erased_while_waiting(answer.member_no) is not null then
        answer.state := 'unknown_customer';
        return answer;
    end if;
    select v.* into rules from loyalty.rules_at(at) as v;
    answer.state := loyalty.redemption_refused(rules, wanted, loyalty.left_today(rules, answer.member_no, at));
    if answer.state is not null then
        return answer;
    elsif loyalty.release_lapsed(answer.member_no, at) then
        answer.state := 'pay_first';
        return answer;
    end if;
    if wanted > (
        select coalesce(sum(l.remaining), 0) from loyalty.lots as l
        where l.member_no = answer.member_no and l.remaining > 0 and l.available_at <= at
            and (l.expires_at is null or l.expires_at > at)
    ) then
        answer.state := 'too_few';
        return answer;
    end if;

    month := loyalty.book(at);
    answer.redemption_no := nextval('loyalty.redemptions_redemption_no_seq');
    answer.points := wanted;
    answer.worth := loyalty.worth_of(wanted, rules);
    answer.state := case when hold then 'held' else 'committed' end;
    answer.held_until := case when hold then at + make_interval(mins => rules.hold_minutes) end;
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference)
    values (month, answer.member_no, 'redeem', answer.redemption_no, -wanted, at, at, answer.redemption_no::text)
    returning entry_id into entry;
    if loyalty.use_lots(answer.member_no, entry, wanted, at) <> wanted then
        raise exception 'the lots do not hold what they were said to' using errcode = 'LY002';
    end if;
    insert into loyalty.redemptions (
        redemption_no, member_no, period, entry_id, points, worth, purpose, reference, state, asked_at, held_until, ended_at
    )
    overriding system value
    values (
        answer.redemption_no, answer.member_no, month, entry, wanted, answer.worth, purpose, reference, answer.state, at,
        answer.held_until, case when hold then null else at end
    );
    if not hold then
        perform loyalty.ask_for_gift(answer.redemption_no, at);
    end if;
    update loyalty.accounts as a set balance = a.balance - wanted where a.member_no = answer.member_no;
    if rules.receipts then
        perform loyalty.queue_receipt(answer.redemption_no, at);
    end if;
    return loyalty.redemption_told(answer.redemption_no, at);
end $$;

-- A warehouse task for a redemption that pays for a gift. Again: the task's key refuses a second one.
create function loyalty.ask_for_gift(redemption bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.redeemed_gifts (redemption_no, gift, asked_at, changed_at)
    select r.redemption_no, r.reference, at, at from loyalty.redemptions as r
    where r.redemption_no = redemption and r.purpose = 'gift'
    on conflict do nothing
$$;

-- A redemption as it is at an instant, and how its member stands; null if there is none.
create function loyalty.redemption_told(redemption bigint, at timestamptz) returns loyalty.redemption_answer
language sql stable as $$
    select (
        case when r.state = 'held' and r.held_until <= at then 'lapsed' else r.state end,
        r.redemption_no, r.member_no, r.points, r.worth, r.held_until,
        s.available + s.pending - s.owed, s.available, false, v.currency
    )::loyalty.redemption_answer
    from loyalty.redemptions as r
    inner join loyalty.rules_in_force as v on v.starts_at <= r.asked_at and r.asked_at < v.ends_at
    cross join lateral loyalty.standing(r.member_no, at) as s
    where r.redemption_no = redemption
$$;

-- Commits points that are held: once, and only before the hold ends. The state says what they are then.
create function loyalty.commit_redemption(redemption bigint, at timestamptz) returns loyalty.redemption_answer
language plpgsql as $$
begin
    update loyalty.redemptions as r set state = 'committed', ended_at = commit_redemption.at
    where r.redemption_no = redemption and r.state = 'held' and r.held_until > commit_redemption.at;
    if found then
        perform loyalty.ask_for_gift(redemption, commit_redemption.at);
        perform loyalty.queue_receipt(redemption, commit_redemption.at);
    end if;
    return loyalty.redemption_told(redemption, commit_redemption.at);
end $$;

-- Undoes a redemption, held or committed: its points come back. One that came back before stays as it is; a gift that has left the
-- warehouse keeps its redemption: the state is then gift_sent. The caller pays debts where owes says so.
create function loyalty.cancel_redemption(redemption bigint, at timestamptz) returns loyalty.redemption_answer
language plpgsql as $$
declare
    answer loyalty.redemption_answer;
    spent loyalty.redemptions;
    sent text;
    owes boolean := false;
begin
    perform from loyalty.accounts as a
    where a.member_no = (select r.member_no from loyalty.redemptions as r where r.redemption_no = redemption)
    for update;
    select r.* into spent from loyalty.redemptions as r where r.redemption_no = redemption for update;
    if not found then
        return null;
    end if;
    select g.state into sent from loyalty.redeemed_gifts as g where g.redemption_no = redemption for update;
    if spent.state = 'committed' and sent in ('shipped', 'delivered') then
        answer := loyalty.redemption_told(redemption, cancel_redemption.at);
        answer.state := 'gift_sent';
        return answer;
    end if;
    owes := loyalty.release_lapsed(spent.member_no, cancel_redemption.at);
    if spent.state = 'committed' or (spent.state = 'held' and spent.held_until > cancel_redemption.at) then
        owes := loyalty.return_points(spent, 'cancelled', cancel_redemption.at, cancel_redemption.at);
        perform loyalty.withhold_receipt(redemption, cancel_redemption.at);
    end if;
    answer := loyalty.redemption_told(redemption, cancel_redemption.at);
    answer.owes := owes;
    return answer;
end $$;

-- What a voucher is at an instant, whatever has been recorded of it: its state, and until when a hold lasts.
create type loyalty.voucher_answer as (
    state text,
    code text,
    member_no bigint,
    customer_id text,
    amount bigint,
    currency text,
    expires_at timestamptz,
    held_until timestamptz,
    reference text,
    done boolean
);

-- Looks a voucher up by its code, in the archive too; null if there is none.
create function loyalty.look_at_voucher(wanted text, at timestamptz) returns loyalty.voucher_answer
language sql stable as $$
    select (
        case
            when v.state = 'held' and u.held_until > at then 'held'
            when v.state in ('issued', 'held') then case when v.expires_at > at then 'issued' else 'expired' end
            else v.state
        end,
        v.code, v.member_no, m.customer_id, v.amount, v.currency, v.expires_at,
        case when v.state = 'held' and u.held_until > at then u.held_until end,
        case when v.state = 'redeemed' or (v.state = 'held' and u.held_until > at) then u.reference end,
        false
    )::loyalty.voucher_answer
    from loyalty.voucher_codes as c
    cross join lateral (
        select k.code, k.member_no, k.amount, k.currency, k.state, k.expires_at from loyalty.vouchers as k
        where k.member_no = c.member_no and k.code = c.code
        union all
        select a.code, a.member_no, a.amount, a.currency, a.state, a.expires_at from loyalty.voucher_archive as a
        where a.code = c.code
    ) as v
    inner join loyalty.members as m on v.member_no = m.member_no
    left join loyalty.voucher_uses as u on c.code = u.code
    where c.code = wanted
$$;

-- Moves a voucher from the states given to another, by one conditional update whose row count decides; done says whether it did. The row
-- is locked before it is judged, so that of any number who come at once one finds it as it was. A hold that has ended counts as none.
create function loyalty.move_voucher(
    wanted text, from_states text [], to_state text, reference text, held_until timestamptz, at timestamptz
) returns loyalty.voucher_answer language plpgsql as $$
#variable_conflict use_variable
declare
    answer loyalty.voucher_answer;
    moved bigint;
begin
    perform from loyalty.vouchers as v
    where v.code = wanted and v.member_no = (select c.member_no from loyalty.voucher_codes as c where c.code = wanted)
    for update;
    answer := loyalty.look_at_voucher(wanted, at);
    if answer.code is null or not answer.state = any(from_states)
        or (answer.state = 'held' and answer.reference is distinct from reference) then
        return answer;
    end if;
    update loyalty.vouchers as v set state = to_state
    where v.code = wanted and v.member_no = answer.member_no and v.state in ('issued', 'held');
    get diagnostics moved = row_count;
    if moved = 1 then
        insert into loyalty.voucher_uses as u (code, reference, held_until, redeemed_at)
        values (wanted, reference, held_until, case when to_state = 'redeemed' then at end)
        on conflict (code) do update set
            reference = excluded.reference, held_until = excluded.held_until, redeemed_at = excluded.redeemed_at;
        answer := loyalty.look_at_voucher(wanted, at);
        answer.done := true;
    end if;
    return answer;
end $$;
