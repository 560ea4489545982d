-- does:   a secret of the programme's own, by name
-- again:  reads only
-- params: name text
select s.secret from secrets as s
where s.name = :name
