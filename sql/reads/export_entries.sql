-- does:   all entries as they are exported, times in UTC; source says what posted an entry, reference what it is about: the month
--         of the sales or of the lot, the transaction at the till, or what the posting itself named; of one member, or of all where
--         member_no is null; the first `most` after the entry `after`, where these are not null
-- again:  reads only
-- params: member_no bigint, after bigint, most bigint
with instants as (
    select 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' as written
)

select
    e.entry_id,
    case when m.erased_at is null then m.customer_id else 'erased-' || m.member_no end as customer_id,
    e.kind,
    e.points,
    replace(to_char(e.occurred_at at time zone 'UTC', i.written), '.000000', '') as occurred_at,
    replace(to_char(e.recorded_at at time zone 'UTC', i.written), '.000000', '') as recorded_at,
    to_char(e.period, 'YYYY-MM') as period,
    case
        when e.cause > 1000000000000000 and e.kind in ('expiry_reversed', 'write_off') then 'adjustment'
        when e.kind = 'correction' or (e.kind in ('expiry_reversed', 'write_off') and e.cause >= 1990010000) then 'recompute'
        when e.kind in ('earn', 'take_back', 'expiry_reversed', 'write_off') and e.cause < 0 then 'till'
        when e.kind in ('earn', 'take_back', 'expiry_reversed', 'write_off') then 'close'
        when e.kind = 'expire' then 'expiry'
        when e.kind in ('redeem', 'undo') then 'redemption'
        when e.kind = 'adjust' then 'adjustment'
        when e.kind = 'forfeit' then 'erasure'
        else e.kind::text
    end as source,
    coalesce(e.reference, case
        when e.kind = 'expire' then to_char(coalesce(origin.period, gone.period), 'YYYY-MM')
        when e.cause > 1000000000000000 and e.kind in ('adjust', 'write_off')
            then (e.cause - 1000000000000000)::text  -- the adjustment's number
        when e.kind in ('correction', 'expiry_reversed', 'write_off') and e.cause >= 1990010000
            then to_char(e.cause / 10000, 'FM0000"-"00')  -- a month and the revision of it
        when e.kind in ('earn', 'take_back', 'expiry_reversed', 'write_off') and e.cause < 0 then (
            select t.transaction_id from loyalty.transactions as t
            where t.booked_period = e.period and t.member_no = e.member_no and t.transaction_no = -e.cause
        )
        when e.kind in ('take_back', 'expiry_reversed', 'write_off') and e.cause between 100000 and 999999
            then to_char(e.cause, 'FM0000"-"00')
        when e.kind in ('earn', 'expiry_reversed', 'write_off') then to_char(e.period, 'YYYY-MM')
    end) as reference,
    replace(to_char(credited.expires_at at time zone 'UTC', i.written), '.000000', '') as expires_at,
    coalesce(nullif(e.reason, ''), case
        when e.kind = 'adjust'
            then (select j.reason from loyalty.adjustments as j where j.adjustment_no = e.cause - 1000000000000000)
    end) as reason
from loyalty.entries as e
cross join instants as i
inner join loyalty.members as m on e.member_no = m.member_no
left join loyalty.lots as gone on e.kind = 'expire' and e.member_no = gone.member_no and e.cause = gone.lot_no
left join loyalty.lots as origin on gone.member_no = origin.member_no and gone.origin_lot_no = origin.lot_no
left join loyalty.lots as credited on e.points > 0 and e.member_no = credited.member_no and e.entry_id = credited.lot_no
where (
    cast(:member_no as bigint) is null or (
        e.member_no = :member_no
        and e.period in (  -- the key begins with the period: a look at each month finds one member's rows
            select month::date
            from (select min(x.period) as first_one, max(x.period) as last_one from loyalty.entries as x) as months
            cross join generate_series(months.first_one, months.last_one, interval '1 month') as month
        )
    )
)
and (cast(:after as bigint) is null or e.entry_id > :after)
order by e.entry_id
limit :most
