-- does:   finds recomputed points that were not posted as one entry of their month and revision, and such entries of no recompute
-- again:  reads only
-- params: none
select
    coalesce(m.member_no, e.member_no) as member_no,
    m.period as recomputed,
    m.revision,
    m.points,
    e.entry_id,
    e.points as posted
from (
    select
        o.*,
        r.posted_period,
        (extract(year from o.period) * 100 + extract(month from o.period))::bigint * 10000 + o.revision as cause
    from loyalty.recomputed_members as o
    inner join loyalty.recomputes as r on o.recompute_no = r.recompute_no
    where o.revision is not null
) as m
full join (select * from loyalty.entries as x where x.kind = 'correction') as e
    on m.posted_period = e.period and m.member_no = e.member_no and m.cause = e.cause
where m.points is distinct from e.points
