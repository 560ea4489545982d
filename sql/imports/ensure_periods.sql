-- does:   makes these periods known
-- again:  a period that is known is left as it is
-- params: periods date[]
select loyalty.ensure_period(p.period)
from (select unnest(:periods) as period order by 1) as p
