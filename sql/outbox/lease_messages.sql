-- does:   marks claimed messages as being sent, and by whom until when; `attempted_at` and `until` are the machine's own time
-- again:  only queued rows change, so a repeat writes nothing
-- params: first_message bigint, last_message bigint, messages bigint[], digests bytea[], provider text, claimed_by text, attempted_at timestamptz, until timestamptz
with leased as (
    update loyalty.outbox as o
    set state = 'sending'
    from unnest(cast(:messages as bigint [])) as l (message_no)
    where o.message_no = l.message_no and o.state = 'queued'
        -- the bounds keep the plan a walk along the index, even while nobody has analysed a freshly filled outbox
        and o.message_no >= :first_message and o.message_no <= :last_message
    returning o.message_no, o.member_no
)

insert into loyalty.deliveries as d (message_no, member_no, provider, attempted_at, claimed_by, claimed_until, digest)
select
    s.message_no,
    s.member_no,
    :provider,
    :attempted_at,
    :claimed_by,
    :until,
    g.digest
from leased as s
inner join unnest(cast(:messages as bigint []), cast(:digests as bytea [])) as g (message_no, digest) on s.message_no = g.message_no
on conflict (message_no) do update
set
    provider = excluded.provider,
    attempted_at = excluded.attempted_at,
    claimed_by = excluded.claimed_by,
    claimed_until = excluded.claimed_until,
    digest = excluded.digest
