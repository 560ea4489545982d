-- Points given for anything but a purchase: a trigger of the rules, a campaign, a member of staff.

-- What was given, once for each member, kind and occasion: "2026" of a birthday, "7" of a campaign. It outlives the entry's period.
create table loyalty.grants (
    grant_no bigint generated always as identity primary key,
    member_no bigint not null,
    kind loyalty.entry_kind not null check (
        kind in (
            'bonus', 'adjust', 'registration', 'profile', 'referral', 'share', 'check_in', 'birthday', 'anniversary', 'visits', 'campaign'
        )
    ),
    occasion text not null check (length(occasion) between 1 and 200),
    points bigint not null check (points > 0),
    reason text,
    granted_at timestamptz not null,
    entry_id bigint,
    constraint grants_once unique (member_no, kind, occasion)
);

comment on column loyalty.grants.entry_id is 'the entry that posted it; null until it is posted';
comment on column loyalty.grants.reason is 'never personal data: the entry shows it';

create index grants_due on loyalty.grants (member_no) where entry_id is null;

-- Posts what is granted to members of a range and not posted yet, to the open month of an instant: entries, lots that are good at once,
-- balances. How many; what these members owe is paid after it (sql/ledger/pay_debts). Again: a grant that has its entry is left out.
create function loyalty.post_grants(first_member bigint, stop_member bigint, at timestamptz) returns bigint
language plpgsql as $$
declare
    month date;
    good_until timestamptz;
    posted bigint;
begin
    perform from loyalty.accounts as a
    where a.member_no >= first_member and a.member_no < stop_member
        and a.member_no in (select g.member_no from loyalty.grants as g where g.entry_id is null)
    order by a.member_no
    for update;
    month := loyalty.book(at);
    good_until := (
        select loyalty.points_expire_at(month, v.expiry_months) from loyalty.rules_in_force as v
        where v.from_period <= month and month < v.until_period
    );
    with due as materialized (
        select g.* from loyalty.grants as g
        where g.entry_id is null and g.member_no >= first_member and g.member_no < stop_member
        order by g.member_no, g.grant_no
        for update
    ),

    entered as (
        insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at, reference, reason)
        select month, d.member_no, d.kind, d.grant_no, d.points, d.granted_at, at, d.occasion, d.reason from due as d
        returning entry_id, member_no, cause, points
    ),

    kept as (
        insert into loyalty.lots (lot_no, member_no, period, points, remaining, available_at, expires_at)
        select e.entry_id, e.member_no, month, e.points, e.points, at, good_until from entered as e
    ),

    credited as (
        update loyalty.accounts as a set balance = a.balance + e.points
        from (select x.member_no, sum(x.points)::bigint as points from entered as x group by x.member_no) as e
        where a.member_no = e.member_no
    ),

    settled as (
        update loyalty.grants as g set entry_id = e.entry_id
        from entered as e
        where g.grant_no = e.cause
    )

    select count(*) into posted from entered;
    return posted;
end $$;
