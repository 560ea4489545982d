-- A purchase received and applied, a redemption made and answered, by one statement: which is what nearly all of them need.

-- Makes whoever brings the same event wait until this transaction ends, before anything else is locked: so the ways in can't deadlock.
create function loyalty.lock_event(source text, event_id text) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(event_id, hashtextextended(source, 0)))
$$;

-- Keeps a purchase as it came and records it, with the answer to whoever asks; also the points posted. Nothing is written unless the
-- state is recorded: where it isn't (the event is known, a refund waits for it, the customer is new, owes points or was referred, the
-- rules set limits, it can't be recorded), it takes more statements than one, or a refusal. Again: the keys of inbox and transactions
-- refuse a second one.
create function loyalty.take_purchase(told loyalty.told_transaction, digest bytea, body bytea, at timestamptz)
returns table (state text, answer text, points bigint) language plpgsql as $$
declare
    recorded loyalty.till_answer;
begin
    perform loyalty.lock_event(told.source, told.transaction_id);
    if exists (select from loyalty.velocity_limits) or exists (
        select from loyalty.inbox as i where i.source = told.source and i.event_id = told.transaction_id
    ) or exists (
        select from loyalty.inbox as i
        where i.source = told.source and i.waits_for = told.transaction_id and i.state = 'waiting'
    ) or exists (
        select from loyalty.members as m
        inner join loyalty.debts as d on d.member_no = coalesce(m.merged_into, m.member_no)
        where m.customer_id = told.customer_id
    ) or exists (
        select from loyalty.members as m
        inner join loyalty.referrals as r on coalesce(m.merged_into, m.member_no) = r.referred_no and r.state = 'open'
        where m.customer_id = told.customer_id
    ) then
        return;
    end if;
    recorded := loyalty.record_purchase(told, at);
    if recorded.state <> 'recorded' then
        return;
    end if;
    if recorded.owes then
        raise exception 'the member has just come to owe points' using errcode = 'serialization_failure';
    end if;
    state := recorded.state;
    points := recorded.points;
    answer := (
        select row_to_json(a)::text
        from (select told.transaction_id, recorded.points as points_posted, recorded.balance, recorded.tier) as a
    );
    insert into loyalty.inbox (source, event_id, kind, digest, body, received_at, state, finished_at, answer)
    values (told.source, told.transaction_id, 'purchase', digest, body, at, 'applied', at, answer);
    return next;
end $$;

-- Spends points under an idempotency key and keeps the answer. Null, with nothing written, if that takes more statements than one, or a
-- refusal: the key was used before, the rules set limits, the points can't be spent, or a hold that is over gave back what must pay a debt first.
create function loyalty.take_redemption(
    key integer, key_given text, digest bytea, customer text, wanted bigint, purpose text, reference text, at timestamptz
) returns text language plpgsql as $$
declare
    made loyalty.redemption_answer;
    told text;
begin
    if exists (select from loyalty.velocity_limits) then
        return null;
    end if;
    insert into loyalty.answers (key_no, idempotency_key, digest, status, answered_at)
    values (key, key_given, take_redemption.digest, 201, at)
    on conflict (key_no, idempotency_key) do nothing;
    if not found then
        return null;
    end if;
    made := loyalty.redeem(customer, wanted, purpose, reference, false, at);
    if made.state = 'pay_first' then
        raise exception 'a hold that is over gave points back' using errcode = 'serialization_failure';
    end if;
    if made.redemption_no is null then
        delete from loyalty.answers as a where a.key_no = key and a.idempotency_key = key_given;
        return null;
    end if;
    told := (
        select row_to_json(a)::text
        from (
            select
                made.redemption_no::text as redemption_id, made.state, made.points,
                round(made.worth * ('1e-' || c.minor_digits)::numeric, c.minor_digits)::text as worth, made.currency,
                made.balance, made.available, made.held_until
            from loyalty.currencies as c where c.currency = made.currency
        ) as a
    );
    update loyalty.answers as a set body = told where a.key_no = key and a.idempotency_key = key_given;
    return told;
end $$;
