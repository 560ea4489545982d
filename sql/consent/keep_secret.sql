-- does:   keeps a secret of the programme's own, unless there is one of that name
-- again:  the first one stays
-- params: name text, secret bytea, at timestamptz
insert into secrets (name, secret, made_at)
values (:name, :secret, :at)
on conflict (name) do nothing
