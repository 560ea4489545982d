-- does:   which of these names of a provider are known to be of other messages
-- again:  reads only
-- params: provider text, provider_ids text[]
select d.provider_id
from loyalty.deliveries as d
where d.provider = :provider and d.provider_id = any(:provider_ids)
