-- does:   removes rules that only a simulation could see whose process died before it had a run, with their ladders
-- again:  what is gone is not found; the caller keeps others from beginning, so whoever simulates has a run
-- params: none
delete from loyalty.rules_versions as v
where v.candidate and not exists (select from loyalty.runs as r where r.candidate = v.version)
