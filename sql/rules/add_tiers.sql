-- does:   gives a lasting number to each tier that has none yet, in the order of the ladder
-- again:  a name has one number (the unique name), and asking first spends no number on names that have theirs
-- params: names text[]
insert into loyalty.tiers (name)
select given.name
from unnest(cast(:names as text [])) with ordinality as given (name, place)
where not exists (select from loyalty.tiers as t where t.name = given.name)
order by given.place
on conflict (name) do nothing
