-- does:   until when a customer must register to have the points of a purchase of an instant; null where the first purchase enrols
-- again:  reads only
-- params: happened_at timestamptz
select loyalty.claimed_until(:happened_at) as until
