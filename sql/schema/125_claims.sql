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
