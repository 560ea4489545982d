-- does:   the members, not erased, who have a telephone number, however either is written
-- again:  reads only
-- params: phone text
select m.member_no
from members as m
where m.phone is not null and m.erased_at is null
    and loyalty.phone_digits(m.phone) = loyalty.phone_digits(:phone) and loyalty.phone_digits(:phone) <> ''
order by m.member_no
