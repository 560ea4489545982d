-- does:   locks the events that wait for a transaction of their source, in the order they came; one that somebody else is trying
--         just now is passed over: that try waits for this transaction, or comes again
-- again:  locks what is locked
-- params: source text, transaction_id text
select
    i.source,
    i.event_id,
    i.event_no,
    i.kind,
    i.digest,
    i.body,
    i.received_at,
    i.tries,
    i.released_by is not null as released
from inbox as i
where i.source = :source and i.waits_for = :transaction_id and i.state = 'waiting'
order by i.event_no
for update skip locked
