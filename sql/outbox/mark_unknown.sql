-- does:   messages whose delivery never came back: nobody knows whether they went out
-- again:  such a row is no longer being sent
-- params: messages bigint[]
update loyalty.outbox as o
set
    state = 'unknown',
    reason = 'the delivery that had it in hand ended',
    tries = o.tries + 1
where o.message_no = any(:messages) and o.state = 'sending'
