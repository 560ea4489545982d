-- Messages, written in the transaction of what they tell of.

create type loyalty.message_kind as enum (
    'points_credited', 'tier_upgrade', 'tier_at_risk', 'tier_changed_down', 'voucher_issued', 'voucher_expiring',
    'points_expiring', 'welcome', 'birthday', 'bonus_credited', 'personal_offer', 'redemption_receipt', 'refund_taken_back'
);

-- facts: what the message says beside what the member's rows say; never personal data. Null where the books keep it for good:
-- of points_credited in the statement, of tier_upgrade in the history; loyalty.message_facts reads it there.
-- occasion makes a message one of its kind for a member: a period, a code, a lot's expiry.
create table loyalty.outbox (
    message_no bigint generated always as identity,
    kind loyalty.message_kind not null,
    occasion text not null,
    member_no bigint not null,
    channel text not null check (channel in ('email', 'sms')),
    facts jsonb,
    state text not null default 'queued' check (state in ('queued', 'sending', 'unknown', 'sent', 'withheld', 'failed')),
    reason text,
    queued_at timestamptz not null,
    not_before timestamptz,
    tries smallint not null default 0,
    finished_at timestamptz,
    constraint outbox_once primary key (kind, occasion, member_no)
) partition by range (member_no);

create index outbox_queued on loyalty.outbox (message_no) where state = 'queued';
