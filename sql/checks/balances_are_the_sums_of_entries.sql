-- does:   finds accounts whose balance is not the sum of the member's entries, and entries of nobody's
-- again:  reads only
-- params: none
with posted as (
    select
        e.member_no,
        sum(e.points) as points
    from loyalty.entries as e
    group by e.member_no
)

select
    member_no,
    a.balance,
    p.points as sum_of_entries
from loyalty.accounts as a
full join posted as p using (member_no)
where a.balance is distinct from coalesce(p.points, 0)
