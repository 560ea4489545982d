-- does:   an event by its key: what came first under it, what became of it, and what its application answered
-- again:  reads only
-- params: source text, event_id text
select
    i.event_no,
    i.kind,
    i.digest,
    i.state,
    i.reason,
    i.answer
from inbox as i
where i.source = :source and i.event_id = :event_id
