-- does:   asks for a decision, and gives the number under which it waits
-- again:  approvals_once (kind, occasion) gives the same number, and what was asked first stays
-- params: kind text, occasion text, period date, asked_by text, asked_at timestamptz, due_at timestamptz
insert into loyalty.approvals (kind, occasion, period, asked_by, asked_at, due_at)
values (:kind, :occasion, :period, :asked_by, :asked_at, :due_at)
on conflict on constraint approvals_once do update set kind = excluded.kind
returning approval_no
