-- does:   takes the notes of approvals and reviews that have one of the words
-- again:  finds none
-- params: words text[]
with of_approvals as (
    update loyalty.approvals as a
    set note = '(erased)'
    where exists (select from unnest(cast(:words as text [])) as w (word) where strpos(lower(a.note), w.word) > 0)
)

update loyalty.reviews as r
set note = '(erased)'
where exists (select from unnest(cast(:words as text [])) as w (word) where strpos(lower(r.note), w.word) > 0)
