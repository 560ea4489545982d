-- does:   notes that an adjustment is posted just now, in which month and by which cause of its entry, and who approved it
-- again:  one that is posted is refused
-- params: adjustment_no bigint, approved_by text, at timestamptz
update loyalty.adjustments as a
set
    approved_by = :approved_by,
    posted_at = :at,
    posted_period = loyalty.book(:at),
    posted_cause = coalesce(
        (
            select g.grant_no from loyalty.grants as g
            where a.points > 0 and g.member_no = a.member_no and g.kind = 'adjust' and g.occasion = a.adjustment_no::text
        ),
        1000000000000000 + a.adjustment_no
    )
where a.adjustment_no = :adjustment_no
