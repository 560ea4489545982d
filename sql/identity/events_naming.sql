-- does:   events that have one of the patterns in what they said, as bytes written one for one and in small letters, or in their answer; and
--         those that said anything with a backslash, by which JSON may write every letter otherwise
-- again:  reads only
-- params: patterns text[]
select
    i.source,
    i.event_id,
    i.state,
    i.body,
    i.answer
from loyalty.inbox as i
where position(cast('\x5c' as bytea) in i.body) > 0 or exists (
    select from unnest(cast(:patterns as text [])) as p (pattern)
    where strpos(lower(encode(i.body, 'escape')), p.pattern) > 0 or strpos(lower(i.answer), p.pattern) > 0
)
