-- does:   removes rules that only a simulation could see, with their ladder
-- again:  what is gone is not found; a version that was ever in force stays
-- params: version integer
delete from loyalty.rules_versions as v
where v.version = :version and v.candidate
