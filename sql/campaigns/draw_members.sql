-- does:   draws the members of a campaign who are not drawn yet: those whom its conditions fit now, each held out or not by the
--         key. With a month only those who bought in its time, booked to that month or a later one: members who came while it lasted
-- again:  who was drawn stays as drawn; the key of campaign_members refuses a second draw
-- params: campaign_no smallint, buyers_since date, at timestamptz
insert into loyalty.campaign_members (campaign_no, member_no, held_out, drawn_at)
select
    c.campaign_no,
    m.member_no,
    loyalty.campaign_draw(c.draw_key, m.member_no) < c.holdout * 281474976710656,
    :at
from loyalty.campaigns as c
cross join loyalty.members as m
inner join loyalty.accounts as a on m.member_no = a.member_no
inner join loyalty.tiers as t on a.tier_no = t.tier_no
left join loyalty.segments as s
    on m.member_no = s.member_no
    and num_nonnulls(c.segments, c.recency, c.frequency, c.money) > 0
where c.campaign_no = :campaign_no
    and m.erased_at is null and m.merged_into is null
    and (c.tiers is null or t.name = any(c.tiers))
    and (
        c.segments is null
        or exists (select from unnest(c.segments) as name where loyalty.in_segment(s, name))
    )
    and (c.recency is null or s.recency_score = any(c.recency))
    and (c.frequency is null or s.frequency_score = any(c.frequency))
    and (c.money is null or s.monetary_score = any(c.money))
    and (
        cast(:buyers_since as date) is null
        or m.member_no in (
            select b.member_no from loyalty.transactions as b
            where b.booked_period >= :buyers_since and b.kind = 'sale' and b.occurred_at >= c.begins_at
                and b.occurred_at < loyalty.campaign_until(c)
        )
    )
    and m.member_no not in (select d.member_no from loyalty.campaign_members as d where d.campaign_no = :campaign_no)
