-- does:   grants members of the range what they are due for of a trigger and don't have yet; how many grants
-- again:  what is granted already is left out, and grants_once refuses a second one
-- params: kind loyalty.entry_kind, first_member bigint, stop_member bigint, days date[], points bigint[], visits_each integer, at timestamptz
select loyalty.grant_due(
    cast(:kind as loyalty.entry_kind), :first_member, :stop_member, cast(:days as date []), cast(:points as bigint []), :visits_each, :at
) as granted
