-- does:   the words by which members' data can be told where others wrote them: addresses and numbers, and ids, which may be short
-- again:  reads only
-- params: members bigint[]
select distinct
    w.is_id,
    w.word
from (
    select w.is_id, w.word
    from loyalty.members as m
    cross join lateral (
        values (true, m.customer_id), (false, lower(btrim(m.email))), (false, m.phone)
    ) as w (is_id, word)
    where m.member_no = any(:members)
    union all
    select i.kind = 'platform', i.value from loyalty.identifiers as i
    where i.member_no = any(:members)
) as w
where w.word <> ''
