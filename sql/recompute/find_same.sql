-- does:   the recompute of the same months that waits for a decision already, can still get it, and comes to the same
-- again:  reads only
-- params: recompute_no bigint, as_of timestamptz
select o.recompute_no
from loyalty.recomputes as r
inner join loyalty.recomputes as o
    on r.first_period = o.first_period and r.last_period = o.last_period and o.recompute_no <> r.recompute_no
inner join loyalty.approvals as a on o.approval_no = a.approval_no and a.state = 'open' and a.due_at > :as_of
where r.recompute_no = :recompute_no
    and not exists (
        select
        from (select * from loyalty.recomputed_members as m where m.recompute_no = r.recompute_no) as new
        full join (select * from loyalty.recomputed_members as m where m.recompute_no = o.recompute_no) as old
            on new.period = old.period and new.member_no = old.member_no
        where (new.points_due, new.points_had, new.points_before, new.tier_had, new.tier_due) is distinct from (
            old.points_due, old.points_had, old.points_before, old.tier_had, old.tier_due
        )
    )
