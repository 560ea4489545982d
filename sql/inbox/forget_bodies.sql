-- does:   forgets what events said that came before an instant and are applied or dropped; their keys and answers stay
-- again:  finds none
-- params: before timestamptz
update inbox as i
set body = null
where i.received_at < :before and i.body is not null and i.state in ('applied', 'dropped')
