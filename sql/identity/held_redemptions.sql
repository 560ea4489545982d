-- does:   the redemptions of members that are held
-- again:  reads only
-- params: members bigint[]
select r.redemption_no from loyalty.redemptions as r
where r.member_no = any(:members) and r.state = 'held'
order by r.redemption_no
