-- does:   records what refunds booked up to a period take back of awards of locked members: of each the whole part of points x refunded so
--         far / amount, all of it where the purchase was corrected, less what was taken by then. Where that is below zero, since a refund was
--         corrected, it comes back as a grant
-- again:  nothing is due then; the key (purchase, period, revision) refuses two who compute the same
-- params: period date, members bigint[], at timestamptz
with refunded as (
    select
        w.transaction_no,
        w.campaign_no,
        w.member_no,
        case
            when k.corrected_no is not null and v.booked_period <= :period then w.points
            else div(
                w.points::numeric * (
                    select coalesce(sum(case r.kind when 'refund' then r.amount else -r.amount end), 0)
                    from loyalty.transactions as r
                    where r.sale_no = w.transaction_no and r.booked_period <= :period
                ),
                s.amount
            )::bigint
        end as due
    from loyalty.campaign_awards as w
    inner join loyalty.transactions as s
        on w.period = s.booked_period and w.member_no = s.member_no and w.transaction_no = s.transaction_no
    left join loyalty.corrections as k on w.transaction_no = k.corrected_no
    left join loyalty.transactions as v on k.reversal_no = v.transaction_no and k.member_no = v.member_no
    where w.member_no = any(:members) and w.points > 0
),

left_over as (
    select
        f.transaction_no,
        f.campaign_no,
        f.member_no,
        f.due - coalesce(sum(b.points), 0)::bigint as points,
        coalesce(max(b.revision) filter (where b.period = :period), 0) + 1 as revision
    from refunded as f
    left join loyalty.campaign_take_backs as b on f.transaction_no = b.transaction_no and b.period <= :period
    group by f.transaction_no, f.campaign_no, f.member_no, f.due
    having f.due <> coalesce(sum(b.points), 0)
),

kept as (
    insert into loyalty.campaign_take_backs (transaction_no, period, revision, member_no, points, taken_at)
    select
        o.transaction_no,
        :period,
        o.revision,
        o.member_no,
        o.points,
        :at
    from left_over as o
    order by o.transaction_no
    returning transaction_no, revision, member_no, points
),

given_back as (
    insert into loyalty.grants (member_no, kind, occasion, points, reason, granted_at)
    select
        k.member_no,
        'campaign',
        o.campaign_no || ':' || k.transaction_no || ':' || to_char(:period, 'YYYYMM') || ':' || k.revision,
        -k.points,
        c.name,
        :at
    from kept as k
    inner join left_over as o on k.transaction_no = o.transaction_no
    inner join loyalty.campaigns as c on o.campaign_no = c.campaign_no
    where k.points < 0
)

select
    count(*) as take_backs,
    coalesce(sum(k.points), 0)::bigint as points
from kept as k
