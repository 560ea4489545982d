-- does:   locks the messages of any provider whose delivery never came back to say what became of them
-- again:  changes nothing; rows that somebody else has locked are passed over
-- params: lapsed_before timestamptz
select o.message_no
from loyalty.outbox as o
inner join loyalty.deliveries as d on o.message_no = d.message_no
where o.state = 'sending' and d.claimed_until < :lapsed_before
order by o.message_no
for update of o skip locked
