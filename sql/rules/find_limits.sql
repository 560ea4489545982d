-- does:   what limits new rules from a month on (without one, since the beginning): the newest month that is closed or closing,
--         the tiers that members hold or are proposed for but the names given leave out, the currency that transactions fix, and the
--         newest month by whose rules a month closed before it has rated a refund
-- again:  reads only
-- params: from_period date, names text[]
select
    (select max(p.period) from loyalty.periods as p where p.state in ('closing', 'closed')) as newest_closed,
    (
        select array_agg(t.name order by t.tier_no)
        from loyalty.tiers as t
        where
            t.name <> all(cast(:names as text []))
            and (
                exists (select from loyalty.accounts as a where a.tier_no = t.tier_no)
                or exists (select from loyalty.reviews as r where r.tier_no = t.tier_no and r.state = 'open')
            )
    ) as held_tiers,
    (
        select r.currency
        from loyalty.rules_in_force as r
        where
            r.from_period <= coalesce(cast(:from_period as date), '-infinity')
            and coalesce(cast(:from_period as date), '-infinity') < r.until_period
            and exists (select from loyalty.transaction_keys)
    ) as fixed_currency,
    (
        select max(t.sale_period)
        from loyalty.transactions as t
        inner join loyalty.periods as p on t.booked_period = p.period
        where t.sale_no is not null and t.sale_period > t.booked_period and p.state in ('closing', 'closed')
    ) as rated_ahead
