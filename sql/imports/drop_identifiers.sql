-- does:   drops the identifiers of known members that good rows replace by others
-- again:  finds none
-- params: none
delete from identifiers as i
using import_members as r
inner join members as m on r.customer_id = m.customer_id
where i.member_no = m.member_no and i.origin_no is null and r.reason is null and not r.unchanged and not r.later
    and (
        (i.kind = 'email' and i.value <> loyalty.folded_email(r.email))
        or (i.kind = 'phone' and r.phone <> m.phone)
    )
