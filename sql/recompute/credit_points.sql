-- does:   posts the credits of one rank of run 0, a month of a recompute: entries, each with its lot
-- again:  the entries' key, the month and its revision, refuses a second posting
-- params: period date, rank integer, revision integer, posted_at timestamptz, recorded_at timestamptz, expires_at timestamptz
with credited as (
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
    select
        :period,
        w.member_no,
        'correction',
        (extract(year from w.sale_period) * 100 + extract(month from w.sale_period))::bigint * 10000 + :revision,
        w.points,
        :posted_at,
        :recorded_at
    from loyalty.work_points as w
    where w.run_no = 0 and w.rank = :rank and w.points > 0
    order by w.member_no
    returning entry_id, member_no, points
)

insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
select
    c.entry_id,
    c.member_no,
    :period,
    c.points,
    c.points,
    :posted_at,
    :expires_at
from credited as c
