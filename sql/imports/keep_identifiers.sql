-- does:   keeps the e-mail addresses and telephone numbers of good rows among the identifiers of their members
-- again:  an identifier that is there stays
-- params: none
insert into identifiers (kind, value, member_no)
select w.kind, w.value, m.member_no
from import_members as r
inner join members as m on r.customer_id = m.customer_id
cross join lateral (
    values
    ('email', loyalty.folded_email(r.email)),
    ('phone', case when loyalty.is_e164(r.phone) then r.phone else r.phone_number end)
) as w (kind, value)
where r.reason is null and not r.unchanged and not r.later and w.value <> ''
order by w.kind, w.value
on conflict do nothing
