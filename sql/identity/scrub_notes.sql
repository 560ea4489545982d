-- does:   takes the notes of approvals, reviews, adjustments, campaigns and changes of rules, and reasons of events, that have one of the words
-- again:  finds none
-- params: words text[]
with words as materialized (
    select w.word from unnest(cast(:words as text [])) as w (word)
),

of_approvals as (
    update loyalty.approvals as a
    set note = '(erased)'
    where exists (select from words as w where strpos(lower(a.note), w.word) > 0)
),

of_adjustments as (
    update loyalty.adjustments as a
    set note = '(erased)'
    where exists (select from words as w where strpos(lower(a.note), w.word) > 0)
),

of_campaigns as (
    update loyalty.campaigns as c
    set note = '(erased)'
    where exists (select from words as w where strpos(lower(c.note), w.word) > 0)
),

of_rules as (
    update loyalty.rules_changes as c
    set note = '(erased)'
    where exists (select from words as w where strpos(lower(c.note), w.word) > 0)
),

of_events as (
    update loyalty.inbox as i
    set reason = '(erased)'
    where i.state <> 'applied' and exists (select from words as w where strpos(lower(i.reason), w.word) > 0)
)

update loyalty.reviews as r
set note = '(erased)'
where exists (select from words as w where strpos(lower(r.note), w.word) > 0)
