-- does:   begins a recompute of these months, and gives its number
-- again:  begins another one; what a dead one left is cleared away before
-- params: first_period date, last_period date, asked_by text, asked_at timestamptz
insert into loyalty.recomputes (first_period, last_period, asked_by, asked_at)
values (:first_period, :last_period, :asked_by, :asked_at)
returning recompute_no
