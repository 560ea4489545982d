-- does:   forgets what a recompute needed only to be computed: its rows, its scope, and the months before those that were asked for
-- again:  nothing is left to forget
-- params: recompute_no bigint, first_period date
with rows_of_it as (
    delete from loyalty.recompute_rows as r
    where r.recompute_no = :recompute_no
),

scope_of_it as (
    delete from loyalty.recompute_scope as s
    where s.recompute_no = :recompute_no
)

delete from loyalty.recomputed_members as m
where m.recompute_no = :recompute_no and m.period < :first_period
