-- does:   approvals of recomputes that wait and share a month with this one: they would post the same again
-- again:  reads only
-- params: recompute_no bigint
select o.approval_no
from loyalty.recomputes as r
inner join loyalty.recomputes as o
    on o.recompute_no <> r.recompute_no and o.first_period <= r.last_period and r.first_period <= o.last_period
inner join loyalty.approvals as a on o.approval_no = a.approval_no and a.state = 'open'
where r.recompute_no = :recompute_no
order by o.approval_no
