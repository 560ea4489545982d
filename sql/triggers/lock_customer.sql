-- does:   makes whoever else registers or changes this customer wait until the transaction ends, known or not
-- again:  waits for nobody
-- params: customer_id text
select loyalty.lock_event('member', :customer_id) as locked
