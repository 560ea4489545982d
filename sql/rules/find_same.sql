-- does:   the version that rules from this month on (without one, since the beginning), if its text is the same
-- again:  reads only
-- params: from_period date, document text
select newest.version
from (
    select v.version, v.document
    from loyalty.rules_versions as v
    where not v.candidate and v.from_period = coalesce(cast(:from_period as date), '-infinity')
    order by v.version desc
    limit 1
) as newest
where newest.document = :document
