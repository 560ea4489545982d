-- does:   rejects corrections that their refunds, or the rows that name them, don't allow
-- again:  rejects the same rows
-- params: none
update import_transactions as r
set reason = judged.reason
from (
    select
        i.line,
        case
            when m.erased_at is not null then 'the member is erased'
            when refunds.there > 0 and i.kind <> 'sale' then 'it has refunds, so it must stay a sale'
            when refunds.there > 0 and i.currency <> t.currency then 'wrong currency: not that of its refunds'
            when refunds.taken > i.amount then 'sale below its refunds'
            when exists (
                select from import_transactions as o
                where o.reason is null and o.corrected_no = i.sale_no
            ) then 'original is a refund'
        end as reason
    from import_transactions as i
    left join transactions as t
        on i.corrected_period = t.booked_period and i.corrected_member_no = t.member_no and i.corrected_no = t.transaction_no
    left join members as m on i.corrected_member_no = m.member_no
    cross join lateral (
        select
            coalesce(sum(case o.kind when 'refund' then 1 else -1 end), 0) as there,
            coalesce(sum(case o.kind when 'refund' then o.amount else -o.amount end), 0) as taken
        from transactions as o
        where o.sale_no = i.corrected_no
    ) as refunds
    where i.reason is null and not i.unchanged and not i.later
) as judged
where r.line = judged.line and judged.reason is not null
