-- Points for more than purchases: what makes a member due for them, each once by the key of loyalty.grants.

-- Secrets of this programme, made once: of the codes that locations show, of the hashes of cards, addresses and devices.
create table loyalty.secrets (
    name text primary key,
    secret bytea not null check (length(secret) = 32),
    made_at timestamptz not null
);

create table loyalty.locations (
    location_no integer generated always as identity primary key,
    name text not null unique check (length(name) between 1 and 200),
    added_at timestamptz not null
);

-- What tells one person who comes as two: only a keyed hash of a card, an address or a device is kept.
create table loyalty.member_traits (
    member_no bigint not null,
    trait text not null check (trait in ('card', 'address', 'device')),
    digest bytea not null check (length(digest) = 32),
    primary key (member_no, trait, digest)
);

-- Who referred whom: a member is referred once. What it brings is what the rules said when it was made.
create table loyalty.referrals (
    referral_no bigint generated always as identity primary key,
    referrer_no bigint not null,
    referred_no bigint not null,
    made_at timestamptz not null,
    year integer not null,
    referrer_points bigint not null check (referrer_points >= 0),
    referred_points bigint not null check (referred_points >= 0),
    year_max integer check (year_max > 0),
    state text not null default 'open' check (state in ('open', 'paid', 'refused')),
    reason text,
    referrer_paid boolean not null default false,
    settled_at timestamptz,
    constraint referrals_once unique (referred_no),
    constraint referrals_of_two check (referrer_no <> referred_no),
    check ((state = 'open') = (settled_at is null)),
    check (state = 'paid' or not referrer_paid)
);

comment on column loyalty.referrals.year is 'in which it was made, in the programme''s zone: year_max counts the referrals of a year that are paid';
comment on column loyalty.referrals.referrer_paid is 'false beyond year_max, and where the rules gave the referrer nothing';

create index referrals_open on loyalty.referrals (referred_no) where state = 'open';
create index referrals_of_referrer on loyalty.referrals (referrer_no, year) where referrer_paid;

-- Up to which day the daily run has looked: it looks at that day again, since not all of it had happened.
create table loyalty.milestone_marks (
    only_one boolean primary key default true check (only_one),
    through date not null
);

-- Visits in closed months, counted from the month on from which the rules reward them; those in open months are counted each time.
create table loyalty.visit_totals (
    since date not null,
    member_no bigint not null,
    visits bigint not null check (visits > 0),
    primary key (since, member_no)
);

create table loyalty.visit_marks (
    since date primary key,
    through date not null
);

comment on column loyalty.visit_marks.through is 'the newest month that visit_totals have counted';

-- Month and day as a number: 229 for 29 February.
create function loyalty.day_of_year(day date) returns integer language sql immutable parallel safe as $$
    select (extract(month from day) * 100 + extract(day from day))::integer
$$;

-- The days given with the dates that are celebrated on each: 28 February of a common year is the 29th's too.
create function loyalty.celebrated(days date [], given bigint [])
returns table (day date, day_of_year integer, points bigint, starts_at timestamptz) language sql stable as $$
    select d.day, loyalty.day_of_year(d.day), d.points, loyalty.day_start(d.day)
    from unnest(days, given) as d (day, points)
    where d.points > 0
    union all
    select d.day, 229, d.points, loyalty.day_start(d.day)
    from unnest(days, given) as d (day, points)
    where d.points > 0 and loyalty.day_of_year(d.day) = 228 and loyalty.day_of_year(d.day + 1) = 301
$$;

-- Days on which members of a range bought, counted by the month they are booked to, so that a closed month's count stays. A sale that
-- is corrected stays the visit it was. With visits_each only members who may have reached a milestone with them: most have not, and
-- their sales are counted without a look at the day.
create function loyalty.visits_booked(
    first_member bigint, stop_member bigint, since date, first_period date, stop_period date, visits_each integer
) returns table (member_no bigint, before bigint, visits bigint) language sql stable as $$
    with possible as materialized (
        select t.member_no, coalesce(f.visits, 0) as before
        from (
            select s.member_no, count(*) as sales from loyalty.transactions as s
            where s.booked_period >= first_period and s.booked_period < stop_period
                and s.member_no >= first_member and s.member_no < stop_member and s.kind = 'sale'
            group by s.member_no
        ) as t
        left join loyalty.visit_totals as f on f.since = visits_booked.since and t.member_no = f.member_no
        where visits_each is null or (coalesce(f.visits, 0) + t.sales) / visits_each > coalesce(f.visits, 0) / visits_each
    )

    select v.member_no, v.before, count(*)
    from (
        select distinct t.booked_period, t.member_no, m.before, (t.occurred_at at time zone p.time_zone)::date as day
        from loyalty.transactions as t
        inner join possible as m on t.member_no = m.member_no
        cross join loyalty.programme as p
        where t.booked_period >= first_period and t.booked_period < stop_period
            and t.member_no >= first_member and t.member_no < stop_member
            and t.kind = 'sale'
            and t.transaction_no not in (select c.replacement_no from loyalty.corrections as c)
    ) as v
    group by v.member_no, v.before
$$;

-- Who is due for what of a trigger, members of a range, whether it is granted already or not. days and given: for which days how many
-- points (registration, birthday, anniversary: each day looked at; profile: any one day; visits: the first month that counts, and the
-- first that doesn't any more). each: how many visits are a milestone.
create function loyalty.due_grants(
    wanted loyalty.entry_kind, first_member bigint, stop_member bigint, days date [], given bigint [], visits_each integer
) returns table (member_no bigint, occasion text, points bigint) language plpgsql stable as $$
#variable_conflict use_column
begin
    case wanted
        when 'registration' then
            return query
            select m.member_no, 'once', d.points
            from loyalty.programme as p
            cross join loyalty.members as m
            inner join unnest(days, given) as d (day, points) on d.day = (m.enrolled_at at time zone p.time_zone)::date
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null and d.points > 0
                and m.enrolled_at >= (select loyalty.day_start(min(x)) from unnest(days) as x)
                and m.enrolled_at < (select loyalty.day_start(max(x) + 1) from unnest(days) as x);
        when 'profile' then
            return query
            select m.member_no, 'once', given[1]
            from loyalty.members as m
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null
                and m.email is not null and m.phone is not null and m.birthday is not null
                and m.first_name is not null and m.last_name is not null;
        when 'birthday' then
            return query
            select m.member_no, extract(year from c.day)::text, c.points
            from loyalty.celebrated(days, given) as c
            inner join loyalty.members as m on c.day_of_year = loyalty.day_of_year(m.birthday)
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null
                and m.birthday < c.day and m.enrolled_at < c.starts_at;
        when 'anniversary' then
            return query
            select m.member_no, extract(year from c.day)::text, c.points
            from loyalty.programme as p
            cross join loyalty.members as m
            cross join lateral (
                select coalesce(m.joined_on, (m.enrolled_at at time zone p.time_zone)::date) as joined_on
            ) as j
            inner join loyalty.celebrated(days, given) as c on c.day_of_year = loyalty.day_of_year(j.joined_on)
            where m.member_no >= first_member and m.member_no < stop_member and m.erased_at is null and m.merged_into is null
                and j.joined_on < c.day and m.enrolled_at < c.starts_at;
        when 'visits' then
            return query
            select
                v.member_no,
                case when days[1] > '0001-01-01' then to_char(days[1], 'YYYY-MM ') else '' end || milestone,
                given[1]
            from loyalty.visits_booked(
                first_member, stop_member, days[1],
                coalesce(
                    (select (k.through + interval '1 month')::date from loyalty.visit_marks as k where k.since = days[1]), days[1]
                ),
                days[2], visits_each
            ) as v
            inner join loyalty.members as m on v.member_no = m.member_no
            cross join lateral generate_series(
                (v.before / visits_each + 1) * visits_each, v.before + v.visits, visits_each
            ) as milestone
            where m.erased_at is null and m.merged_into is null;
    end case;
end $$;

-- Grants what members of a range are due for and neither they nor who is merged into them have yet, their accounts locked first and in order; how many. They are posted by
-- loyalty.post_grants, in the same transaction. Again: grants_once refuses a second one.
create function loyalty.grant_due(
    wanted loyalty.entry_kind, first_member bigint, stop_member bigint, days date [], given bigint [], visits_each integer,
    at timestamptz
) returns bigint language plpgsql as $$
#variable_conflict use_column
declare
    granted bigint;
begin
    with due as materialized (
        select d.* from loyalty.due_grants(wanted, first_member, stop_member, days, given, visits_each) as d
        where not exists (
            select from loyalty.grants as g
            where g.member_no = d.member_no and g.kind = wanted and g.occasion = d.occasion
        ) and not exists (
            select from loyalty.members as f
            inner join loyalty.grants as g on f.member_no = g.member_no
            where f.merged_into = d.member_no and g.kind = wanted and g.occasion = d.occasion
        )
    ),

    locked as materialized (
        select a.member_no from loyalty.accounts as a
        where a.member_no in (select d.member_no from due as d)
        order by a.member_no
        for update
    )

    insert into loyalty.grants (member_no, kind, occasion, points, granted_at)
    select d.member_no, wanted, d.occasion, d.points, grant_due.at
    from due as d
    inner join locked as l on d.member_no = l.member_no
    order by d.member_no, d.occasion
    on conflict do nothing;
    get diagnostics granted = row_count;
    return granted;
end $$;

-- Whether two members are one person by what is known of them: the name of what they share, or null.
create function loyalty.shared_by(one bigint, other bigint) returns text language sql stable as $$
    select coalesce(
        (
            select case
                when lower(a.email) = lower(b.email) then 'e-mail address'
                when regexp_replace(a.phone, '[^0-9]', '', 'g') = regexp_replace(b.phone, '[^0-9]', '', 'g') then 'phone number'
            end
            from loyalty.members as a
            inner join loyalty.members as b on b.member_no = other
            where a.member_no = one
        ),
        (
            select a.trait from loyalty.member_traits as a
            inner join loyalty.member_traits as b on a.trait = b.trait and a.digest = b.digest
            where a.member_no = one and b.member_no = other
            order by a.trait limit 1
        )
    )
$$;

-- Whether a member has bought something for money at an instant or later; from the beginning, with none.
create function loyalty.has_bought(member bigint, since timestamptz) returns boolean language sql stable as $$
    select exists (
        select from loyalty.periods as p
        inner join loyalty.transactions as t on p.period = t.booked_period
        where t.member_no = member and t.kind = 'sale' and t.amount > 0
            and (since is null or (p.period >= loyalty.period_of(since) and t.occurred_at >= since))
    )
$$;

-- Records that one member referred another; the state says refused and why, where it can't be. Accounts are locked first, in order.
create function loyalty.refer(
    referrer bigint, referred bigint, referrer_points bigint, referred_points bigint, year_max integer, at timestamptz
) returns table (referral_no bigint, refusal text) language plpgsql as $$
#variable_conflict use_variable
begin
    perform from loyalty.accounts as a where a.member_no in (referrer, referred) order by a.member_no for update;
    refusal := case
        when referrer = referred then 'a member can''t refer themselves'
        when exists (select from loyalty.referrals as r where r.referred_no = referred) then 'the member was referred before'
        when exists (
            select from loyalty.referrals as r where r.referrer_no = referred and r.referred_no = referrer
        ) then 'the two would refer each other'
        when loyalty.has_bought(referred, null) then 'the member has bought before'
        when loyalty.shared_by(referrer, referred) is not null
            then 'both have the same ' || loyalty.shared_by(referrer, referred) || ': a member can''t refer themselves'
    end;
    if refusal is null then
        insert into loyalty.referrals (
            referrer_no, referred_no, made_at, year, referrer_points, referred_points, year_max
        )
        select
            referrer, referred, at, extract(year from at at time zone p.time_zone), referrer_points, referred_points, year_max
        from loyalty.programme as p
        returning referrals.referral_no into referral_no;
    end if;
    return next;
end $$;

-- Locks, in order, the accounts of both sides of open referrals.
create function loyalty.lock_referrals(wanted bigint []) returns void language sql as $$
    select from loyalty.accounts as a
    where a.member_no in (
        select s.member_no from loyalty.referrals as r
        cross join lateral (values (r.referrer_no), (r.referred_no)) as s (member_no)
        where r.referral_no = any(wanted)
    )
    order by a.member_no
    for update
$$;

-- Settles those of these referrals whose referred member has bought since: grants to both sides, to the referrer up to the year's most;
-- refused where the two have turned out to be one. The range of members to post for; null where nothing is granted. Again: one that is
-- settled stays as it is, and grants_once refuses a second grant.
create function loyalty.settle_referrals(wanted bigint [], at timestamptz, out first_member bigint, out stop_member bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    due bigint [];
begin
    perform loyalty.lock_referrals(wanted);
    due := array(
        select r.referral_no from loyalty.referrals as r
        where r.referral_no = any(wanted) and r.state = 'open' and loyalty.has_bought(r.referred_no, r.made_at)
        order by r.referral_no
    );
    update loyalty.referrals as r
    set state = 'refused', settled_at = at, reason = 'both have the same ' || loyalty.shared_by(r.referrer_no, r.referred_no)
    where r.referral_no = any(due) and loyalty.shared_by(r.referrer_no, r.referred_no) is not null;
    update loyalty.referrals as r
    set state = 'paid', settled_at = at, referrer_paid = p.counts
    from (
        select
            x.referral_no,
            x.referrer_points > 0 and m.erased_at is null and (
                x.year_max is null
                or row_number() over (
                    partition by x.referrer_no, x.year, x.referrer_points > 0 order by x.referral_no
                ) + (
                    select count(*) from loyalty.referrals as y
                    where y.referrer_no = any(loyalty.family_of(x.referrer_no)) and y.year = x.year and y.referrer_paid
                ) <= x.year_max
            ) as counts
        from loyalty.referrals as x
        inner join loyalty.members as m on x.referrer_no = m.member_no
        where x.referral_no = any(due) and x.state = 'open'
    ) as p
    where r.referral_no = p.referral_no;
    with given as (
        insert into loyalty.grants (member_no, kind, occasion, points, granted_at)
        select s.member_no, 'referral', r.referral_no::text, s.points, at
        from loyalty.referrals as r
        cross join lateral (
            values (r.referrer_no, case when r.referrer_paid then r.referrer_points else 0 end), (r.referred_no, r.referred_points)
        ) as s (member_no, points)
        where r.referral_no = any(due) and r.state = 'paid' and s.points > 0
        on conflict do nothing
        returning member_no
    )

    select min(g.member_no), max(g.member_no) + 1 into first_member, stop_member from given as g;
end $$;

-- What staff gave or took by hand. alone_max is what the rules of the day let one person do, whatever is inserted; above it a second
-- person stands in the row before its points are posted: no statement gets round that.
create table loyalty.adjustments (
    adjustment_no bigint generated always as identity primary key,
    member_no bigint not null,
    points bigint not null check (points <> 0),
    reason text not null check (length(reason) between 1 and 30),
    note text check (length(note) <= 500),
    asked_by text not null,
    asked_at timestamptz not null,
    alone_max bigint not null,
    approval_no bigint unique references loyalty.approvals,
    approved_by text,
    posted_at timestamptz,
    posted_period date,
    posted_cause bigint,
    request text unique check (length(request) between 1 and 80),
    check ((posted_at is null) = (posted_period is null) and (posted_at is null) = (posted_cause is null)),
    constraint adjustments_need_two_people check (
        posted_at is null or abs(points) <= alone_max
        or (approval_no is not null and approved_by is not null and lower(approved_by) <> lower(asked_by))
    )
);

comment on column loyalty.adjustments.posted_cause is 'of its entry, in the month posted_period';
comment on column loyalty.adjustments.request is 'by what it was asked, where that may ask again: a run of Prefect';

create index adjustments_of_member on loyalty.adjustments (member_no, adjustment_no);

create function loyalty.limit_adjustment() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.alone_max := (select v.adjust_alone_max from loyalty.rules_at(new.asked_at) as v);
    elsif (new.member_no, new.points, new.asked_by, new.asked_at, new.alone_max, new.reason)
        is distinct from (old.member_no, old.points, old.asked_by, old.asked_at, old.alone_max, old.reason)
        or (old.posted_at is not null and to_jsonb(new) - 'note' <> to_jsonb(old) - 'note') then
        raise exception 'an adjustment is posted as it was asked, once' using errcode = 'LY001';
    end if;
    return new;
end $$;

create trigger adjustments_limited before insert or update on loyalty.adjustments
for each row execute function loyalty.limit_adjustment();

-- A debit by hand stands in the working table of run -1, as a refund's does, and names its kind.
alter table loyalty.work_points add column kind loyalty.entry_kind;

comment on column loyalty.work_points.kind is 'of the debit''s entry, where the sales'' period doesn''t say it';
