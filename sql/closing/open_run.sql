-- does:   begins a run: its number, and its working tables, a part for each batch of members
-- again:  begins another run; the ones whose process died are dropped by the next
-- params: period date, simulated boolean, candidate integer, started_at timestamptz, first_members bigint[]
with begun as (
    insert into loyalty.runs (period, simulated, candidate, started_at)
    values (:period, :simulated, :candidate, :started_at)
    returning run_no
)

select
    b.run_no,
    loyalty.make_working_tables(b.run_no, :first_members) as made
from begun as b
