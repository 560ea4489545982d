-- A person is one person over all that stands beside the books: what erasing somebody, and merging two members or parting them, means for
-- traits, referrals, visits, campaigns, limits, consents and deliveries.

alter table loyalty.campaign_members add column from_no bigint;

comment on column loyalty.campaign_members.from_no is 'of a draw that came by a merge: the member who was drawn';

alter table loyalty.merged_rewards add foreign key (merge_no) references loyalty.merges;

-- Whether an address or a number, as a provider names it, is an erased person's and nobody else's.
create function loyalty.is_nobodys(channel text, address text) returns boolean language sql stable as $$
    select loyalty.is_erased(k.kind, '', k.value) and not exists (
        select from loyalty.identifiers as i where i.kind = k.kind and i.platform = '' and i.value = k.value
    )
    from (
        select
            case channel when 'email' then 'email' else 'phone' end as kind,
            case channel when 'email' then loyalty.folded_email(address) else btrim(address) end as value
    ) as k
$$;

-- Takes the digests of a member's addresses from what providers said of addresses, but for those that another member has too.
create function loyalty.forget_suppressions(member bigint) returns void language sql as $$
    with theirs as materialized (
        select a.channel, loyalty.address_digest(a.channel, a.address) as digest
        from loyalty.members as m
        cross join lateral (values ('email', m.email), ('sms', m.phone)) as a (channel, address)
        where m.member_no = member and a.address is not null
        union
        select k.channel, loyalty.address_digest(k.channel, i.value)
        from loyalty.identifiers as i
        inner join (values ('email', 'email'), ('phone', 'sms')) as k (kind, channel) on i.kind = k.kind
        where i.member_no = member
    )

    delete from loyalty.suppressions as s
    using theirs as t
    where s.channel = t.channel and s.address = t.digest and not exists (
        select from loyalty.identifiers as i
        where i.member_no <> member and i.kind = case s.channel when 'email' then 'email' else 'phone' end
            and loyalty.address_digest(s.channel, i.value) = s.address
    )
$$;

-- Takes what is known of an erased member beside the books: called before the addresses are gone. What was given, and the draw of a
-- campaign, stays under the number.
create function loyalty.forget_beside(member bigint, at timestamptz) returns void language plpgsql as $$
begin
    perform loyalty.forget_suppressions(member);
    delete from loyalty.member_traits as t where t.member_no = member;
    delete from loyalty.visit_totals as t where t.member_no = member;
    delete from loyalty.segments as s where s.member_no = member;
    delete from loyalty.velocity_counts as c where c.per = 'member' and c.subject = member::text;
    update loyalty.approvals as a set note = null
    where a.note is not null and a.approval_no in (
        select j.approval_no from loyalty.adjustments as j where j.member_no = member
    );
    update loyalty.adjustments as j set note = null where j.member_no = member and j.note is not null;
    update loyalty.referrals as r
    set state = 'refused', reason = 'the member is erased', settled_at = forget_beside.at
    where r.referred_no = member and r.state = 'open';
    update loyalty.outbox as o set state = 'failed', reason = 'erased', finished_at = forget_beside.at
    where o.member_no = member and o.state = 'unknown';
    update loyalty.deliveries as d set digest = null, provider_id = null
    where d.member_no = member and (d.digest is not null or d.provider_id is not null)
        and d.message_no not in (select o.message_no from loyalty.outbox as o where o.state = 'sending');
end $$;

-- What two members have of open referrals becomes the kept one's, before the purchases go over. One between the two is refused, and so is
-- one by which either came where the other had bought, or was referred, before: that person was a customer already.
create function loyalty.join_referrals(kept bigint, lost bigint, at timestamptz) returns void language plpgsql as $$
#variable_conflict use_variable
begin
    update loyalty.referrals as r
    set state = 'refused', settled_at = at, reason = 'both are one person'
    where r.state = 'open' and r.referrer_no in (kept, lost) and r.referred_no in (kept, lost);
    update loyalty.referrals as r
    set state = 'refused', settled_at = at, reason = 'the member is merged with one who came before'
    from (values (kept, lost), (lost, kept)) as p (one, other)
    where r.state = 'open' and r.referred_no = p.one and (
        loyalty.has_bought(p.other, null)
        or exists (select from loyalty.referrals as o where o.referred_no = p.other and (o.state <> 'open' or p.other = kept))
    );
    update loyalty.referrals as r set referred_no = kept where r.state = 'open' and r.referred_no = lost;
    update loyalty.referrals as r set referrer_no = kept where r.state = 'open' and r.referrer_no = lost;
end $$;

-- Of each consent the stricter becomes the kept member's, and the lost one has none, by events, before the rows say so.
create function loyalty.join_consents(kept bigint, lost bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.consent_events (member_no, channel, purpose, at, given, source)
    select
        w.member_no, w.channel, w.purpose,
        greatest(join_consents.at, (
            select max(e.at) + interval '1 microsecond' from loyalty.consent_events as e
            where e.member_no = w.member_no and e.channel = w.channel and e.purpose = w.purpose
        )),
        false, 'merge'
    from (
        select s.member_no, s.channel, 'service' as purpose
        from loyalty.members as k
        inner join loyalty.members as l on l.member_no = lost
        cross join lateral (
            values
            (k.member_no, 'email', k.email_consent and not l.email_consent), (k.member_no, 'sms', k.sms_consent and not l.sms_consent),
            (l.member_no, 'email', l.email_consent), (l.member_no, 'sms', l.sms_consent)
        ) as s (member_no, channel, ends)
        where k.member_no = kept and s.ends
        union all
        select kept, c.channel, 'marketing'
        from (values ('email'), ('sms')) as c (channel)
        where loyalty.newest_consent(kept, c.channel, 'marketing') and not loyalty.newest_consent(lost, c.channel, 'marketing')
    ) as w
$$;

-- Whether a lost member has withdrawn a consent since the merge, which its undoing must not give back.
create function loyalty.withdrawn_since(merge loyalty.merges, channel text) returns boolean language sql stable as $$
    select exists (
        select from loyalty.consent_events as e
        where e.member_no = merge.lost_no and e.channel = withdrawn_since.channel and e.purpose = 'service' and not e.given
            and e.at >= merge.merged_at and e.source <> 'merge'
    )
$$;

-- Events of what a member agrees to again, once the row says so.
create function loyalty.part_consents(member bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.consent_events (member_no, channel, purpose, at, given, source)
    select
        member, s.channel, 'service',
        greatest(part_consents.at, (
            select max(e.at) + interval '1 microsecond' from loyalty.consent_events as e
            where e.member_no = member and e.channel = s.channel and e.purpose = 'service'
        )),
        s.given, 'unmerge'
    from loyalty.members as m
    cross join lateral (values ('email', m.email_consent), ('sms', m.sms_consent)) as s (channel, given)
    where m.member_no = member and loyalty.newest_consent(member, s.channel, 'service') <> s.given
$$;

-- Counts the visits of members in closed months anew, once purchases have gone from one to the other.
create function loyalty.recount_visits(members bigint []) returns void language sql as $$
    delete from loyalty.visit_totals as t where t.member_no = any(members);
    insert into loyalty.visit_totals (since, member_no, visits)
    select k.since, v.member_no, v.visits
    from (select n.since, n.through from loyalty.visit_marks as n order by n.since desc limit 1) as k
    cross join unnest(members) as one (member_no)
    cross join lateral loyalty.visits_booked(
        one.member_no, one.member_no + 1, k.since, k.since, (k.through + interval '1 month')::date, null
    ) as v
$$;

-- What campaigns gave for purchases goes over with them, so that a cap counts both members' and a refund takes from who has the points.
create function loyalty.move_beside(transfer loyalty.transfers, moving bigint []) returns void language plpgsql as $$
begin
    update loyalty.campaign_awards as w set member_no = transfer.to_no
    where w.member_no = transfer.from_no and w.transaction_no = any(moving);
    update loyalty.campaign_take_backs as b set member_no = transfer.to_no
    where b.member_no = transfer.from_no and b.transaction_no = any(moving) and b.entry_id is null;
    perform loyalty.recount_visits(array[transfer.from_no, transfer.to_no]);
end $$;

-- What is counted for limits of a member, by hours, days and months.
create function loyalty.counts_of(member bigint) returns setof loyalty.velocity_counts language sql stable as $$
    select c.* from loyalty.velocity_counts as c
    where c.kind in ('earn', 'redeem') and c.per = 'member' and c.span in ('hour', 'day', 'month') and c.subject = member::text
$$;

-- The kept member has done what either did, for limits: else a merge would be a fresh allowance. The lost one's counts stay as they are
-- while it is merged, so that its undoing knows them.
create function loyalty.join_counts(kept bigint, lost bigint) returns void language sql as $$
    insert into loyalty.velocity_counts as c (kind, per, span, subject, starts_at, points, events)
    select o.kind, o.per, o.span, kept::text, o.starts_at, o.points, o.events
    from loyalty.counts_of(lost) as o
    on conflict (kind, per, span, subject, starts_at)
    do update set points = c.points + excluded.points, events = c.events + excluded.events
$$;

-- The lost member has done what it did before the merge, the kept one all else.
create function loyalty.part_counts(kept bigint, lost bigint) returns void language sql as $$
    update loyalty.velocity_counts as c set points = c.points - o.points, events = c.events - o.events
    from loyalty.counts_of(lost) as o
    where c.kind = o.kind and c.per = o.per and c.span = o.span and c.subject = kept::text and c.starts_at = o.starts_at
$$;

-- The kept member is in the campaigns that the lost one is in, with the lost one's draw where it has none of its own, and is known by both
-- ones' cards, addresses and devices. What upgrades brought the lost one counts for it too.
create function loyalty.join_beside(kept bigint, lost bigint, at timestamptz) returns void language plpgsql as $$
#variable_conflict use_variable
begin
    insert into loyalty.campaign_members (campaign_no, member_no, held_out, drawn_at, from_no)
    select d.campaign_no, kept, d.held_out, at, lost
    from loyalty.campaign_members as d
    inner join loyalty.campaigns as c on d.campaign_no = c.campaign_no and c.state <> 'asked'
    where d.member_no = lost
    on conflict do nothing;
    insert into loyalty.member_traits (member_no, trait, digest)
    select kept, t.trait, t.digest from loyalty.member_traits as t where t.member_no = lost
    on conflict do nothing;
    insert into loyalty.merged_rewards (member_no, tier_no, earned_at, merge_no)
    select distinct kept, w.tier_no, w.earned_at, g.merge_no
    from loyalty.merges as g
    inner join loyalty.rewards as w on g.lost_no = w.member_no
    where g.lost_no = lost and g.undone_at is null;
    delete from loyalty.segments as s where s.member_no = lost;
    perform loyalty.join_counts(kept, lost);
    update loyalty.members as k set contact_changed_at = greatest(k.contact_changed_at, l.contact_changed_at)
    from loyalty.members as l where k.member_no = kept and l.member_no = lost;
end $$;

-- A draw that came by a merge goes with its undoing, unless it has given something; and the memory of the lost one's rewards ends.
create function loyalty.part_beside(merge loyalty.merges, at timestamptz) returns void language plpgsql as $$
begin
    perform loyalty.part_consents(merge.lost_no, part_beside.at);
    perform loyalty.part_counts(merge.kept_no, merge.lost_no);
    update loyalty.merged_rewards as w set forgotten_at = part_beside.at where w.merge_no = merge.merge_no;
    delete from loyalty.campaign_members as d
    where d.member_no = merge.kept_no and d.from_no = merge.lost_no and not d.told and not exists (
        select from loyalty.campaign_awards as w where w.campaign_no = d.campaign_no and w.member_no = d.member_no
    );
end $$;
