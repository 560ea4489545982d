-- does:   makes a location known; its number
-- again:  the key (name) keeps the first, and no row comes back
-- params: name text, at timestamptz
insert into loyalty.locations (name, added_at)
values (:name, :at)
on conflict (name) do nothing
returning location_no
