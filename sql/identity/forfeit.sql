-- does:   forfeits what an erased member has: points, vouchers, open reviews, queued messages; the points
-- again:  nothing is left
-- params: member_no bigint, at timestamptz
select loyalty.forfeit(:member_no, :at) as points
