-- does:   what the members of a campaign spent on purchases of a time, net of what came back of them: of those in it and those held out
--         the number, how many bought, and the sums of spend and of its square, in minor units
-- again:  reads only
-- params: campaign_no smallint, from_at timestamptz, until_at timestamptz
select
    d.held_out,
    count(*) as members,
    count(*) filter (where s.spend > 0) as buyers,
    coalesce(sum(s.spend), 0)::bigint as spend,
    coalesce(sum(s.spend * s.spend), 0) as squares
from loyalty.campaign_members as d
left join (
    select
        e.member_no,
        sum(e.eligible) as spend
    from loyalty.eligible_transactions as e
    where e.rated_at >= :from_at and e.rated_at < :until_at and e.booked_period >= loyalty.period_of(:from_at)
    group by e.member_no
) as s on d.member_no = s.member_no
where d.campaign_no = :campaign_no
group by d.held_out
order by d.held_out
