-- does:   the text of a version of the rules
-- again:  reads only
-- params: version integer
select v.document
from loyalty.rules_versions as v
where v.version = :version
