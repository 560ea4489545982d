-- does:   freezes the open reviews that no manager was asked about into batches of at most so many, by period and tier, the most points
--         first; of one period (its close asks), or of all closed ones
-- again:  a review that is in a batch is left out; the caller's lock keeps two from numbering batches alike
-- params: period date, most integer
with unasked as (
    select
        r.review_no,
        r.period,
        r.asked_at,
        r.due_at,
        r.tier_no,
        (row_number() over (
            partition by r.period, r.tier_no order by r.qualifying_points desc, r.member_no asc
        ) - 1) / :most as chunk
    from loyalty.reviews as r
    inner join loyalty.periods as p on r.period = p.period
    where r.state = 'open' and r.approval_no is null
        and case when cast(:period as date) is null then p.state = 'closed' else r.period = :period end
),

batches as (
    select
        u.period,
        u.tier_no,
        u.chunk,
        to_char(u.period, 'YYYY-MM') || ' ' || t.name || ' ' || u.chunk + 1 + (
            select count(distinct r.approval_no) from loyalty.reviews as r where r.period = u.period and r.tier_no = u.tier_no
        ) as occasion,
        max(u.asked_at) as asked_at,
        min(u.due_at) as due_at
    from unasked as u
    inner join loyalty.tiers as t on u.tier_no = t.tier_no
    group by u.period, u.tier_no, u.chunk, t.name
),

asked as (
    insert into loyalty.approvals (kind, occasion, period, asked_by, asked_at, due_at)
    select
        'tier_upgrades',
        b.occasion,
        b.period,
        'system',
        b.asked_at,
        b.due_at
    from batches as b
    order by b.period, b.tier_no, b.chunk
    returning approval_no, occasion
)

update loyalty.reviews as r
set approval_no = a.approval_no
from unasked as u
inner join batches as b on u.period = b.period and u.tier_no = b.tier_no and u.chunk = b.chunk
inner join asked as a on b.occasion = a.occasion
where r.review_no = u.review_no and r.state = 'open' and r.approval_no is null
