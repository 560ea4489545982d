-- does:   books to the month of an instant or the earliest open one after it, and holds that open until the transaction ends
-- again:  gives the same month
-- params: at timestamptz
select loyalty.book(:at) as month
