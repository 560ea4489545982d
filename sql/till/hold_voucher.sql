-- does:   holds a voucher for a checkout, if nobody else does; as it is then, and whether it was done
-- again:  the same reference holds it again, for as long again
-- params: code text, reference text, minutes integer, at timestamptz
select v.*
from loyalty.move_voucher(
    :code, array['issued', 'held'], 'held', :reference,
    cast(:at as timestamptz) + make_interval(
        mins => coalesce(:minutes, (select r.hold_minutes from loyalty.rules_at(:at) as r))
    ), :at
) as v
