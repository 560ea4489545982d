-- does:   whether a transaction waits in the inbox, or is held there
-- again:  reads only
-- params: source text, transaction_id text
select exists (
    select from inbox as i where i.source = :source and i.event_id = :transaction_id and i.state in ('waiting', 'held')
) as waits
