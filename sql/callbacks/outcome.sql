-- does:   what became of a message by what its provider told, if it told anything
-- again:  reads only
-- params: message_no bigint
select
    o.outcome,
    o.at,
    o.reason
from message_outcomes as o
where o.message_no = :message_no
