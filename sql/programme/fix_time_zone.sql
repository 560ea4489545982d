-- does:   fixes the zone in which the programme's months begin, for good
-- again:  the zone that is there stays
-- params: time_zone text
insert into loyalty.programme (time_zone)
values (:time_zone)
on conflict (only_one) do nothing
