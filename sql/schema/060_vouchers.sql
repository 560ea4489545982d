-- Vouchers and gifts.

-- Every code ever given out and whose it is, so that none comes twice; it outlives the voucher, and leads from a code to it.
create table loyalty.voucher_codes (
    code text primary key check (length(code) = 13),
    member_no bigint not null
);

create table loyalty.vouchers (
    code text not null,
    member_no bigint not null,
    tier_no smallint not null,
    from_tier_no smallint not null,
    amount bigint not null check (amount > 0),
    currency text not null,
    state text not null default 'issued' check (state in ('issued', 'held', 'redeemed', 'expired', 'void')),
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    period date not null,
    primary key (member_no, tier_no, issued_at)
) partition by range (member_no);

comment on column loyalty.vouchers.amount is 'minor units of currency';
comment on column loyalty.vouchers.from_tier_no is 'the tier held until the move that brought it';

create table loyalty.voucher_archive (
    code text primary key,
    member_no bigint not null,
    tier_no smallint not null,
    from_tier_no smallint not null,
    amount bigint not null,
    currency text not null,
    state text not null,
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    period date not null,
    archived_at timestamptz not null
);

create index archived_vouchers_of_member on loyalty.voucher_archive (member_no);

-- The warehouse's work: one task for a gift that an upgrade brought.
create table loyalty.gift_dispatches (
    member_no bigint not null,
    tier_no smallint not null,
    earned_at timestamptz not null,
    period date not null,
    gift text not null,
    state text not null default 'open' check (state in ('open', 'picked', 'shipped', 'delivered', 'cancelled')),
    reason text,
    asked_at timestamptz not null,
    changed_at timestamptz not null,
    primary key (member_no, tier_no, earned_at)
);

-- The kept member of a merge remembers what upgrades had brought the lost one, and what that one remembered; undone, it forgets.
create table loyalty.merged_rewards (
    member_no bigint not null,
    tier_no smallint not null,
    earned_at timestamptz not null,
    merge_no bigint not null,
    forgotten_at timestamptz,
    primary key (member_no, tier_no, earned_at, merge_no)
);

-- What upgrades brought (a campaign's voucher has minus its number for a tier), the memory that keeps the same tier from paying again too soon: vouchers, wherever they are now, gifts, and those of a merge.
create view loyalty.rewards as
select v.member_no, v.tier_no, v.issued_at as earned_at, null::bigint as merge_no from loyalty.vouchers as v where v.tier_no > 0
union all
select a.member_no, a.tier_no, a.issued_at, null from loyalty.voucher_archive as a where a.tier_no > 0
union all
select g.member_no, g.tier_no, g.earned_at, null from loyalty.gift_dispatches as g
union all
select m.member_no, m.tier_no, m.earned_at, m.merge_no from loyalty.merged_rewards as m where m.forgotten_at is null;
