-- does:   messages to managers whose delivery never came back to say what became of them
-- again:  such a row is no longer being sent
-- params: lapsed_before timestamptz
update loyalty.staff_messages as m
set
    state = 'unknown',
    reason = 'the delivery that had it in hand ended',
    tries = m.tries + 1,
    claimed_until = null
where m.state = 'sending' and m.claimed_until < :lapsed_before
