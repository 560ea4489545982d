-- does:   the members of a segment, or all where it is null, by member number: after a number, at most so many, or all where most is null
-- again:  reads only
-- params: segment text, after bigint, most integer
select
    s.member_no,
    case when m.erased_at is null then m.customer_id else 'erased-' || m.member_no end as customer_id,
    s.last_purchase_at,
    s.purchases,
    s.frequency,
    s.monetary * ('1e-' || v.minor_digits)::numeric as monetary,
    s.recency_score,
    s.frequency_score,
    s.monetary_score,
    s.points_to_next,
    (
        select string_agg(k.name, ' ' order by k.place)
        from unnest(array['active', 'best', 'one_time', 'at_risk', 'lapsed', 'near_threshold']) with ordinality as k (name, place)
        where loyalty.in_segment(s, k.name)
    ) as segments,
    to_char(s.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as as_of
from loyalty.segments as s
inner join loyalty.members as m on s.member_no = m.member_no
inner join loyalty.rules_in_force as v on v.starts_at <= s.as_of and s.as_of < v.ends_at
where s.member_no > coalesce(cast(:after as bigint), 0)
    and (cast(:segment as text) is null or loyalty.in_segment(s, :segment))
order by s.member_no
limit cast(:most as integer)
