-- does:   finds whom a recompute is about: members with a row that is booked later than in its own closed month, or was corrected; each from
--         the month after the last statement before the first such row's month, or from that month where there is none; whoever was part of a merge is left out
-- again:  the key of the scope refuses a second time
-- params: recompute_no bigint, last_period date
with bounds as (
    select
        p.time_zone,
        min(g.period) as oldest
    from loyalty.periods as g
    cross join loyalty.programme as p
    where g.state = 'closed'
    group by p.time_zone
),

retimed as (
    select
        t.member_no,
        greatest(date_trunc('month', t.occurred_at at time zone b.time_zone)::date, b.oldest) as due_period
    from loyalty.transactions as t
    inner join loyalty.periods as g on t.booked_period = g.period and t.occurred_at < g.starts_at
    cross join bounds as b
    where t.kind in ('sale', 'refund') and t.booked_period > b.oldest
        and not exists (select from loyalty.corrections as c where c.corrected_no = t.transaction_no)
        and greatest(date_trunc('month', t.occurred_at at time zone b.time_zone)::date, b.oldest) < t.booked_period
    union all
    select
        c.member_no,
        greatest(date_trunc('month', t.occurred_at at time zone b.time_zone)::date, b.oldest)
    from loyalty.corrections as c
    inner join loyalty.transactions as t
        on c.corrected_period = t.booked_period and c.member_no = t.member_no and c.corrected_no = t.transaction_no
    cross join bounds as b
),

firsts as (
    select
        r.member_no,
        min(r.due_period) as due_period
    from retimed as r
    inner join loyalty.members as m on r.member_no = m.member_no and m.erased_at is null
    where r.due_period <= :last_period
        and not exists (select from loyalty.transfer_states as s where s.member_no = r.member_no)
    group by r.member_no
)

insert into loyalty.recompute_scope (recompute_no, member_no, from_period)
select
    :recompute_no,
    f.member_no,
    coalesce(
        (
            select (max(s.period) + interval '1 month')::date from loyalty.statements as s
            where s.member_no = f.member_no and s.period < f.due_period
        ), f.due_period
    )
from firsts as f
