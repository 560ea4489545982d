-- does:   makes the moves of a close that need no review, or (period null) those that managers approved at this instant: history and account
-- again:  a move that stands in the history is left out, its key (member, instant) refuses a second, and only a move just written
--         touches the account
-- params: period date, first_member bigint, stop_member bigint, moved_at timestamptz, recorded_at timestamptz, version integer
with due as (
    select
        s.member_no,
        s.tier_held as from_tier_no,
        s.tier_after as tier_no,
        s.period,
        null::bigint as review_no
    from loyalty.statements as s
    where s.period = :period and s.member_no >= :first_member and s.member_no < :stop_member
        and s.tier_after <> s.tier_held
    union all
    select
        r.member_no,
        a.tier_no as from_tier_no,
        r.tier_no,
        r.period,
        r.review_no
    from loyalty.reviews as r
    inner join loyalty.accounts as a on r.member_no = a.member_no
    where cast(:period as date) is null and r.state = 'approved' and r.effective_at = :moved_at
        and r.member_no >= :first_member and r.member_no < :stop_member
),

moved as (
    insert into loyalty.tier_history (
        member_no, effective_at, from_tier_no, tier_no, period, upward, review_no, rules_version, recorded_at
    )
    select
        d.member_no,
        :moved_at,
        d.from_tier_no,
        d.tier_no,
        d.period,
        up.rung > down.rung,
        d.review_no,
        :version,
        :recorded_at
    from due as d
    inner join loyalty.rungs as up on up.version = :version and d.tier_no = up.tier_no
    inner join loyalty.rungs as down on down.version = :version and d.from_tier_no = down.tier_no
    where not exists (
        select from loyalty.tier_history as h where h.member_no = d.member_no and h.effective_at = :moved_at
            and h.member_no >= :first_member and h.member_no < :stop_member
    )
    order by d.member_no
    returning member_no, tier_no, effective_at
)

update loyalty.accounts as a
set
    tier_no = m.tier_no,
    tier_since = m.effective_at,
    -- a close has set it with the statement; an approved move is held from the end of the month it takes effect in
    held_until = case
        when cast(:period as date) is null then (
            select (loyalty.period_of(:moved_at) + make_interval(months => 1 + v.hold_months))::date
            from loyalty.rules_versions as v where v.version = :version
        )
        else a.held_until
    end
from moved as m
where a.member_no = m.member_no and a.member_no >= :first_member and a.member_no < :stop_member
    and a.tier_since < m.effective_at
