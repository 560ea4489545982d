-- does:   records that one member referred another; its number, or why it can't be
-- again:  the key (referred) refuses a second one
-- params: referrer bigint, referred bigint, referrer_points bigint, referred_points bigint, year_max integer, at timestamptz
select r.referral_no, r.refusal
from loyalty.refer(:referrer, :referred, :referrer_points, :referred_points, :year_max, :at) as r
