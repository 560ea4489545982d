-- does:   stores the limits of a version, in the order of its file
-- again:  the key (version, place) refuses a second time
-- params: version integer, kinds text[], pers text[], spans text[], measures text[], mosts bigint[], hours integer[]
insert into loyalty.velocity_limits (version, place, kind, per, span, measure, most, hours)
select
    :version,
    given.place,
    given.kind,
    given.per,
    given.span,
    given.measure,
    given.most,
    given.hours
from unnest(
    cast(:kinds as text []),
    cast(:pers as text []),
    cast(:spans as text []),
    cast(:measures as text []),
    cast(:mosts as bigint []),
    cast(:hours as integer [])
) with ordinality as given (kind, per, span, measure, most, hours, place)
