-- Purchases of customers whom nobody has registered: where the rules enrol by registration only, they are kept until then.

-- Until when a customer must register to have the points of a purchase of an instant, by the rules then in force; null where the first
-- purchase enrols.
create function loyalty.claimed_until(happened_at timestamptz) returns timestamptz language sql stable parallel safe as $$
    select loyalty.days_later(happened_at, v.claim_days)
    from loyalty.rules_in_force as v
    where v.starts_at <= happened_at and happened_at < v.ends_at and v.enrolment = 'registration'
$$;

-- What becomes of a purchase whose customer is not known: unknown_customer is to be enrolled, unregistered waits for the customer, and
-- whatever can never be recorded is told at once.
create function loyalty.of_nobody(told loyalty.told_transaction, happened_at timestamptz, recorded_at timestamptz) returns text
language plpgsql stable as $$
declare
    until constant timestamptz := loyalty.claimed_until(happened_at);
    money loyalty.till_money;
begin
    if until is null then
        return 'unknown_customer';
    end if;
    money := loyalty.money_told(told, happened_at, recorded_at);
    return case
        when money.currency is null then 'no_such_currency'
        when money.state = 'too_fine' then 'too_fine'
        when recorded_at >= until then 'unclaimed'
        else 'unregistered'
    end;
end $$;

-- The customer whose registration lets an event be applied; it goes as soon as the event waits no more.
alter table loyalty.inbox add column waits_for_customer text,
    add constraint inbox_names_nobody_in_vain check (waits_for_customer is null or state = 'waiting');

create index inbox_waits_for_customer on loyalty.inbox (waits_for_customer) where waits_for_customer is not null;

-- When the points of a transaction can be spent that real time posted at once: so many days after the sale, by the rules of the month the
-- sale is booked to. A refund follows its sale, a reversal the row that it takes back. null: as the lot of the month's close.
create function loyalty.live_available_at(of_row loyalty.transactions) returns timestamptz language sql stable as $$
    select loyalty.days_later(least(s.occurred_at, s.recorded_at), v.pending_days)
    from loyalty.transactions as s
    inner join loyalty.rules_in_force as v on v.from_period <= s.booked_period and s.booked_period < v.until_period
    left join loyalty.corrections as c on of_row.kind = 'sale_reversal' and c.reversal_no = of_row.transaction_no
    where s.member_no = of_row.member_no and s.live and s.kind = 'sale'
        and s.booked_period = coalesce(c.corrected_period, of_row.sale_period, of_row.booked_period)
        and s.transaction_no = coalesce(c.corrected_no, of_row.sale_no, of_row.transaction_no)
$$;

-- Of months whose points are pending at an instant, what real time has posted that is not: exact points by the month of the sale, of the
-- rows booked from the first to the last of these months.
create function loyalty.no_longer_pending(first_member bigint, stop_member bigint, months date [], last_booked date, at timestamptz)
returns table (member_no bigint, sale_period date, exact numeric) language sql stable as $$
    select t.member_no, t.sale_period, sum(t.eligible * t.points_per_unit)
    from loyalty.rated_transactions as t
    inner join loyalty.transactions as w
        on t.booked_period = w.booked_period and t.member_no = w.member_no and t.transaction_no = w.transaction_no
    where t.booked_period >= (select min(m) from unnest(months) as m) and t.booked_period <= last_booked
        and t.member_no >= first_member and t.member_no < stop_member
        and t.sale_period = any(months) and not t.unnamed and loyalty.live_available_at(w) <= at
    group by t.member_no, t.sale_period
$$;
