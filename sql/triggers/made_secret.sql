-- does:   keeps a secret of the programme under its name unless there is one; the one there is then
-- again:  the first stays
-- params: name text, secret bytea, at timestamptz
with made as (
    insert into loyalty.secrets (name, secret, made_at)
    values (:name, :secret, :at)
    on conflict (name) do nothing
    returning secret
)

select m.secret from made as m
union all
select s.secret from loyalty.secrets as s where s.name = :name
limit 1
