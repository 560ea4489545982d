-- does:   the locations, by name; the one of a name or a number, where that is given
-- again:  reads only
-- params: name text, location_no integer
select l.location_no, l.name, l.added_at
from loyalty.locations as l
where (cast(:name as text) is null or l.name = :name)
    and (cast(:location_no as integer) is null or l.location_no = :location_no)
order by l.name
