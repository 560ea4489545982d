-- does:   what a campaign has given by now, to how many
-- again:  reads only
-- params: campaign_no smallint
select
    d.members,
    d.held_out,
    d.told,
    w.purchases,
    w.awarded_members,
    w.points,
    b.taken_back,
    v.vouchers,
    v.voucher_amount,
    v.redeemed,
    v.redeemed_amount
from (
    select
        count(*) as members,
        count(*) filter (where m.held_out) as held_out,
        count(*) filter (where m.told) as told
    from loyalty.campaign_members as m
    where m.campaign_no = :campaign_no
) as d
cross join (
    select
        count(*) as purchases,
        count(distinct a.member_no) as awarded_members,
        coalesce(sum(a.points), 0)::bigint as points
    from loyalty.campaign_awards as a
    where a.campaign_no = :campaign_no
) as w
cross join (
    select coalesce(sum(t.points), 0)::bigint as taken_back
    from loyalty.campaign_awards as a
    inner join loyalty.campaign_take_backs as t on a.transaction_no = t.transaction_no
    where a.campaign_no = :campaign_no
) as b
cross join (
    select
        count(*) as vouchers,
        coalesce(sum(k.amount), 0)::bigint as voucher_amount,
        count(*) filter (where k.state = 'redeemed') as redeemed,
        coalesce(sum(k.amount) filter (where k.state = 'redeemed'), 0)::bigint as redeemed_amount
    from (
        select o.amount, o.state from loyalty.vouchers as o
        inner join loyalty.campaign_members as m on o.code = m.voucher_code and o.member_no = m.member_no
        where m.campaign_no = :campaign_no
        union all
        select o.amount, o.state from loyalty.voucher_archive as o
        inner join loyalty.campaign_members as m on o.code = m.voucher_code
        where m.campaign_no = :campaign_no
    ) as k
) as v
