-- does:   stores the ladder of a version, a row for each rung, from the lowest
-- again:  the key (version, tier) refuses a second ladder
-- params: version integer, names text[], thresholds bigint[], multipliers numeric[], reviews boolean[], voucher_amounts bigint[], gifts text[]
insert into loyalty.ladder (version, tier_no, rung, threshold, multiplier, review, voucher_amount, gift)
select
    :version,
    t.tier_no,
    given.rung,
    given.threshold,
    given.multiplier,
    given.review,
    given.voucher_amount,
    given.gift
from unnest(
    cast(:names as text []),
    cast(:thresholds as bigint []),
    cast(:multipliers as numeric []),
    cast(:reviews as boolean []),
    cast(:voucher_amounts as bigint []),
    cast(:gifts as text [])
) with ordinality as given (name, threshold, multiplier, review, voucher_amount, gift, rung)
inner join loyalty.tiers as t on given.name = t.name
