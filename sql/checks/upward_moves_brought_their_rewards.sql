-- does:   finds upward moves without the voucher or the gift that the rules they were made by give for the tier, unless the same tier had
--         rewarded the member, or one merged into it, lately; those of a period that is closing are still on their way
-- again:  reads only
-- params: none
select
    h.member_no,
    h.tier_no,
    h.effective_at,
    due.what
from loyalty.tier_history as h
inner join loyalty.periods as m on h.period = m.period
inner join loyalty.rungs as g on h.rules_version = g.version and h.tier_no = g.tier_no
inner join loyalty.rules_versions as v on h.rules_version = v.version
cross join loyalty.programme as p
cross join lateral (
    select 'voucher' as what where g.voucher_amount > 0 and not exists (
        select from loyalty.vouchers as w
        where h.member_no = w.member_no and h.tier_no = w.tier_no and h.effective_at = w.issued_at
        union all
        select from loyalty.voucher_archive as a
        where h.member_no = a.member_no and h.tier_no = a.tier_no and h.effective_at = a.issued_at
    )
    union all
    select 'gift' where g.gift <> '' and not exists (
        select from loyalty.gift_dispatches as d
        where h.member_no = d.member_no and h.tier_no = d.tier_no and h.effective_at = d.earned_at
    )
) as due
where h.upward and (h.review_no is not null or m.state = 'closed')
    and not exists (select from loyalty.merges as x where x.kept_no = h.member_no and x.tier_moved_at = h.effective_at)
    and not exists (
        select from (
            select w.member_no, w.tier_no, w.earned_at, false as of_merge from loyalty.rewards as w where w.merge_no is null
            union all
            select m.member_no, m.tier_no, m.earned_at, true from loyalty.merged_rewards as m -- of a merge that is undone now, too
        ) as w
        where w.member_no = h.member_no and w.tier_no = h.tier_no and (w.of_merge or w.earned_at < h.effective_at)
            and ((w.earned_at at time zone p.time_zone) + make_interval(months => v.reward_again_months))
            at time zone p.time_zone > h.effective_at
    )
