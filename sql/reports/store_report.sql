-- does:   a new revision of a report, unless its numbers are those of the newest one; tells the revision that has them, or null
--         if another revision was stored in the same moment
-- again:  the same numbers again add no revision
-- params: period date, kind text, numbers jsonb, made_at timestamptz
with newest as (
    select
        r.revision,
        r.numbers
    from loyalty.reports as r
    where r.period = :period and r.kind = :kind
    order by r.revision desc
    limit 1
),

added as (
    insert into loyalty.reports (period, kind, revision, made_at, numbers)
    select
        :period,
        :kind,
        coalesce((select n.revision from newest as n), 0) + 1,
        :made_at,
        cast(:numbers as jsonb)
    where not exists (select from newest as n where n.numbers = cast(:numbers as jsonb))
    on conflict (period, kind, revision) do nothing
    returning revision
)

select coalesce(
    (select a.revision from added as a),
    (select n.revision from newest as n where n.numbers = cast(:numbers as jsonb))
) as revision
