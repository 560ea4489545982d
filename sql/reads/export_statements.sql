-- does:   the statements of a closed period as they are exported, in byte order of customer_id; spend in major units;
--         of one member, or of all where member_no is null
-- again:  reads only
-- params: period date, member_no bigint
select
    to_char(s.period, 'YYYY-MM') as period,
    shown.customer_id,
    s.opening_balance,
    s.transactions,
    s.spend * ('1e-' || v.minor_digits)::numeric as spend,
    s.points_earned,
    s.points_redeemed,
    s.points_expired,
    s.points_adjusted,
    s.closing_balance,
    s.qualifying_points,
    before.name as tier_before,
    after.name as tier_after,
    case
        when s.proposed_tier is null then 'none'
        else coalesce((
            select case r.state when 'open' then 'pending' else r.state end
            from loyalty.reviews as r
            where r.member_no = s.member_no and r.tier_no = s.proposed_tier and r.period <= s.period
            order by r.period desc limit 1
        ), 'none')
    end as review
from loyalty.statements as s
inner join loyalty.closes as c on s.period = c.period
inner join loyalty.rules_versions as v on c.rules_version = v.version
inner join loyalty.tiers as before on s.tier_before = before.tier_no
inner join loyalty.tiers as after on s.tier_after = after.tier_no
inner join loyalty.members as m on s.member_no = m.member_no
cross join lateral (
    select case when m.erased_at is null then m.customer_id else 'erased-' || m.member_no end as customer_id
) as shown
where s.period = :period and (cast(:member_no as bigint) is null or s.member_no = :member_no)
order by shown.customer_id using ~<~
