-- does:   finds campaigns whose budget used is not the sum of the points and vouchers that they gave, and awards of points without a grant
-- again:  reads only
-- params: none
select
    c.campaign_no,
    null::bigint as transaction_no,
    c.spent,
    g.points + v.amount as given
from loyalty.campaigns as c
cross join lateral (
    select coalesce(sum(w.points), 0) as points from loyalty.campaign_awards as w where w.campaign_no = c.campaign_no
) as g
cross join lateral (
    select count(*) * coalesce(c.voucher_amount, 0) as amount from loyalty.campaign_members as d
    where d.campaign_no = c.campaign_no and d.voucher_code is not null
) as v
where c.spent <> g.points + v.amount
union all
select
    w.campaign_no,
    w.transaction_no,
    w.points,
    g.points
from loyalty.campaign_awards as w
left join loyalty.grants as g
    on g.kind = 'campaign' and g.occasion = w.campaign_no || ':' || w.transaction_no and (
        w.member_no = g.member_no
        or w.member_no in (select k.kept_no from loyalty.merges as k)
        or w.member_no in (select k.lost_no from loyalty.merges as k)
    )
where w.points > 0 and g.points is distinct from w.points
