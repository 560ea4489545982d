-- does:   opens the record of a close with the version of the rules it uses, which a restart keeps
-- again:  the first start's record stays; a restart changes only how reviews and messages are treated from here on
-- params: period date, version integer, reviews text, approved_by text, notify boolean, started_at timestamptz
insert into loyalty.closes (period, rules_version, reviews, approved_by, notify, started_at)
values (:period, :version, :reviews, :approved_by, :notify, :started_at)
on conflict (period) do update set notify = excluded.notify
