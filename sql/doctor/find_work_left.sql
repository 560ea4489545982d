-- does:   work that stands still: events from outside that nobody could apply, messages that failed or are in doubt; the newest closed month
-- again:  reads only
-- params: none
select
    (select count(*) from loyalty.inbox where state = 'dead') as dead_letters,
    (select count(*) from loyalty.outbox where state = 'failed') as failed_messages,
    (select count(*) from loyalty.outbox where state = 'unknown')
    + (select count(*) from loyalty.staff_messages where state = 'unknown') as unknown_messages,
    (select max(p.period) from loyalty.periods as p where p.state = 'closed') as closed_up_to
