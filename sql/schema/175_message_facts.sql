-- What messages tell of beside months and tiers: receipts of points spent, points that a refund took back; and to staff, gifts that
-- wait to be sent and limits that were reached.

-- Queues the receipt of a redemption that is committed, where the rules send receipts. Again: outbox_once refuses a second one.
create function loyalty.queue_receipt(redemption bigint, at timestamptz) returns void language sql as $$
    insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
    select
        'redemption_receipt', r.redemption_no::text, r.member_no, 'email',
        jsonb_strip_nulls(jsonb_build_object(
            'points', r.points, 'worth', r.worth, 'currency', v.currency, 'at', loyalty.occasion_of(queue_receipt.at),
            'reference', r.reference, 'balance', s.available + s.pending - s.owed
        )),
        queue_receipt.at
    from loyalty.redemptions as r
    cross join loyalty.rules_at(queue_receipt.at) as v
    cross join lateral loyalty.standing(r.member_no, queue_receipt.at) as s
    where r.redemption_no = redemption and r.state = 'committed' and v.receipts
    on conflict (kind, occasion, member_no) do nothing
$$;

-- Withholds the receipt of a redemption that is undone before it went out.
create function loyalty.withhold_receipt(redemption bigint, at timestamptz) returns void language sql as $$
    update loyalty.outbox as o set state = 'withheld', reason = 'stale', finished_at = withhold_receipt.at
    where o.kind = 'redemption_receipt' and o.occasion = redemption::text and o.state = 'queued'
        and o.member_no = (select r.member_no from loyalty.redemptions as r where r.redemption_no = redemption)
$$;

-- Messages to staff that are about no approval say what they tell of in facts; the warehouse's go to the warehouse.
alter table loyalty.staff_messages
    add column facts jsonb,
    drop constraint staff_messages_kind_check,
    add constraint staff_messages_kind_check check (
        kind in (
            'review_waiting', 'review_reminder', 'review_overdue', 'review_code', 'gift_to_dispatch', 'limit_breached'
        )
    ),
    add constraint staff_messages_tell_of_something check (
        approval_no is not null or event_no is not null or facts is not null
    );

comment on column loyalty.staff_messages.facts is 'what it tells of, where that is no approval; never personal data';

-- The message in which the warehouse heard of a gift; null until then.
alter table loyalty.gift_dispatches add column told_in bigint;
alter table loyalty.redeemed_gifts add column told_in bigint;

create index gift_dispatches_untold on loyalty.gift_dispatches (member_no) where told_in is null and state = 'open';
create index redeemed_gifts_untold on loyalty.redeemed_gifts (redemption_no) where told_in is null and state = 'open';
