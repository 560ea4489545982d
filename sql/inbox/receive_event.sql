-- does:   keeps an event as it came, before it is applied; no row comes back if it is there already, once whoever brought it is done
-- again:  an event that is there stays as it is
-- params: source text, event_id text, kind text, digest bytea, body bytea, at timestamptz
with alone as materialized (
    select loyalty.lock_event(:source, :event_id)
)

insert into inbox (source, event_id, kind, digest, body, received_at, state, next_try_at)
select :source, :event_id, :kind, :digest, :body, :at, 'waiting', :at
from alone
on conflict (source, event_id) do nothing
returning event_no
