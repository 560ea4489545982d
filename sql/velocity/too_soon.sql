-- does:   how many hours the rules want between a change of contact data and a redemption, or a redemption and a refund, where there were
--         fewer. Whoever is one with the member, or was in these hours, redeems as the member
-- again:  reads only
-- params: kind text, member_no bigint, at timestamptz
select l.hours
from loyalty.velocity_limits as l
inner join loyalty.rules_in_force as v on l.version = v.version and v.starts_at <= :at and :at < v.ends_at
where l.kind = :kind
    and case :kind
        when 'redeem_after_change' then exists (
            select from loyalty.members as m
            where m.member_no = :member_no
                and m.contact_changed_at > cast(:at as timestamptz) - make_interval(hours => l.hours)
        )
        else exists (
            select from loyalty.redemptions as r
            where r.member_no = any(loyalty.family_of(:member_no) || array(
                select g.kept_no from loyalty.merges as g
                where g.lost_no = :member_no and g.undone_at > cast(:at as timestamptz) - make_interval(hours => l.hours)
            ))
                and r.asked_at > cast(:at as timestamptz) - make_interval(hours => l.hours)
                and (r.state = 'committed' or (r.state = 'held' and r.held_until > :at))
        )
    end
order by l.place
limit 1
