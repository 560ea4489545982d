-- does:   keeps how many members each segment had when it was computed
-- again:  the same instant computed again takes the place of the first
-- params: as_of timestamptz, computed_at timestamptz, counts jsonb
insert into loyalty.segment_runs (as_of, computed_at, counts)
values (:as_of, :computed_at, cast(:counts as jsonb))
on conflict (as_of) do update set computed_at = excluded.computed_at, counts = excluded.counts
