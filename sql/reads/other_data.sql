-- does:   whether the database holds more than the demo: a transaction of another source, or a member who is none of its households
-- again:  reads only
-- params: source text
select
    exists (
        select from loyalty.transaction_keys as k
        inner join loyalty.sources as s on k.source_no = s.source_no
        where s.name <> :source
    )
    or exists (
        select from loyalty.members as m
        where m.email is distinct from 'household' || m.customer_id || '@example.com'
    ) as found
