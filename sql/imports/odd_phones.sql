-- does:   the telephone numbers of good rows that aren't written as E.164
-- again:  reads only
-- params: none
select distinct r.phone
from import_members as r
where r.reason is null and not r.unchanged and not r.later and r.phone is not null and not loyalty.is_e164(r.phone)
