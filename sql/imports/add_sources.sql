-- does:   makes the sources of good rows known
-- again:  a source that is known is left as it is
-- params: none
insert into sources (name)
select distinct r.source
from import_transactions as r
where r.reason is null and not exists (select from sources as s where s.name = r.source)
order by r.source
on conflict do nothing
