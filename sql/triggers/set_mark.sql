-- does:   notes up to which day the daily run has looked
-- again:  the later of two days stays
-- params: through date
insert into loyalty.milestone_marks as m (through)
values (:through)
on conflict (only_one) do update set through = greatest(m.through, excluded.through)
