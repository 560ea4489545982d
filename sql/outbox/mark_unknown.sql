-- does:   messages of any provider whose delivery never came back to say what became of them: nobody knows whether they went out
-- again:  such a row is no longer being sent
-- params: lapsed_before timestamptz
update loyalty.outbox as o
set
    state = 'unknown',
    reason = 'the delivery that had it in hand ended',
    tries = o.tries + 1
from loyalty.deliveries as d
where o.state = 'sending' and o.message_no = d.message_no and d.claimed_until < :lapsed_before
