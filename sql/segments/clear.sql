-- does:   empties the segments, before they are computed anew in the same transaction
-- again:  finds none
-- params: none
delete from loyalty.segments
