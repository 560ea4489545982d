-- does:   who a member is in the programme at an instant: the tier then held, since when, and until which month it is safe
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
select
    m.member_no,
    case when m.erased_at is null then m.customer_id else 'erased-' || m.member_no end as customer_id,
    m.enrolled_at,
    m.erased_at,
    t.name as tier,
    nullif(held.since, '-infinity') as tier_since,
    case
        when a.tier_since > :as_of then null
        when stated.ends_at > :as_of then (
            select s.held_until from loyalty.periods as p
            cross join lateral (
                select o.held_until from loyalty.statements as o where o.period = p.period and o.member_no = a.member_no
            ) as s
            where p.ends_at <= :as_of
            order by p.period desc limit 1
        )
        else a.held_until
    end as held_until
from loyalty.members as m
inner join loyalty.accounts as a on m.member_no = a.member_no
left join loyalty.periods as stated on a.stated_period = stated.period
cross join lateral (
    select
        case
            when a.tier_since <= :as_of then a.tier_no
            else (
                select h.from_tier_no from loyalty.tier_history as h
                where h.member_no = a.member_no and h.effective_at > :as_of order by h.effective_at limit 1
            )
        end as tier_no,
        case
            when a.tier_since <= :as_of then a.tier_since
            else (
                select max(h.effective_at) from loyalty.tier_history as h
                where h.member_no = a.member_no and h.effective_at <= :as_of
            )
        end as since
) as held
inner join loyalty.tiers as t on held.tier_no = t.tier_no
where m.member_no = :member_no
