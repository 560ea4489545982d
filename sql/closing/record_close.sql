-- does:   opens the record of a close with the version of the rules it uses, which a restart keeps
-- again:  the first start's record stays, and how it treats reviews with it; a restart changes only whether messages are sent
-- params: period date, version integer, reviews text, approved_by text, notify boolean, started_at timestamptz
insert into loyalty.closes (period, rules_version, reviews, approved_by, notify, started_at)
values (:period, :version, :reviews, :approved_by, :notify, :started_at)
on conflict (period) do update set notify = excluded.notify
returning reviews, approved_by
