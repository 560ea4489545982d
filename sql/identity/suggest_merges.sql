-- does:   pairs of members who share an e-mail address or a telephone number, which may be one person; who and by what, never the value
-- again:  reads only
-- params: most integer
select
    i.member_no,
    o.member_no as other_member_no,
    array_agg(i.kind order by i.kind) as shared
from loyalty.identifiers as i
inner join loyalty.identifiers as o
    on i.kind = o.kind and i.platform = o.platform and i.value = o.value and i.member_no < o.member_no
where i.kind in ('email', 'phone')
group by i.member_no, o.member_no
order by i.member_no, o.member_no
limit :most
