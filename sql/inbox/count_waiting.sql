-- does:   how much waits: events not applied yet, dead events, and messages in the outbox
-- again:  reads only
-- params: none
select
    (select count(*) from inbox as i where i.state = 'waiting') as waiting,
    (select count(*) from inbox as i where i.state = 'dead') as dead,
    (select count(*) from outbox as o where o.state = 'queued') as outbox
