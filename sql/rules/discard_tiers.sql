-- does:   removes tiers that stand on no ladder: those which only a candidate version had
-- again:  what is gone is not found; the ladder of a version that was ever in force keeps its tiers
-- params: none
delete from loyalty.tiers as t
where not exists (select from loyalty.ladder as l where l.tier_no = t.tier_no)
