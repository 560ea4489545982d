-- does:   ends the holds of a member that nobody committed in time; whether a debt is to be paid by what came back
-- again:  finds none
-- params: member_no bigint, at timestamptz
select loyalty.release_lapsed(a.member_no, :at) as owes
from (select l.member_no from loyalty.accounts as l where l.member_no = :member_no for update) as a
