-- does:   holds these periods shared until the transaction ends, so that a close waits for what is booked to them
-- again:  holds what is held
-- params: periods date[]
select period, state from periods
where period = any(:periods)
order by period
for share
