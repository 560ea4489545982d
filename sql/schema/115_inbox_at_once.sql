-- A purchase received and applied by one statement, which is what nearly all of them need.

-- Makes whoever brings the same event wait until this transaction ends, before anything else is locked: so the ways in can't deadlock.
create function loyalty.lock_event(source text, event_id text) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(event_id, hashtextextended(source, 0)))
$$;

-- Keeps a purchase as it came and records it, with the answer to whoever asks; also the points posted. Nothing is written unless the
-- state is recorded: where it isn't (the event is known, a refund waits for it, the customer is new or owes points, it can't be
-- recorded), it takes more statements than one, or a refusal. Again: the keys of inbox and transactions refuse a second one.
create function loyalty.take_purchase(told loyalty.told_transaction, digest bytea, body bytea, at timestamptz)
returns table (state text, answer text, points bigint) language plpgsql as $$
declare
    recorded loyalty.till_answer;
begin
    perform loyalty.lock_event(told.source, told.transaction_id);
    if exists (
        select from loyalty.inbox as i where i.source = told.source and i.event_id = told.transaction_id
    ) or exists (
        select from loyalty.inbox as i
        where i.source = told.source and i.waits_for = told.transaction_id and i.state = 'waiting'
    ) or exists (
        select from loyalty.members as m
        inner join loyalty.debts as d on d.member_no = coalesce(m.merged_into, m.member_no)
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
