-- does:   queues the message of each grant of a trigger to members of the range that is not posted yet: it is, later in this transaction
-- again:  outbox_once (kind, occasion, member) refuses a second one
-- params: first_member bigint, stop_member bigint, at timestamptz
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
select
    case g.kind
        when 'birthday' then 'birthday'
        when 'registration' then 'welcome'
        else 'bonus_credited'
    end::loyalty.message_kind,
    case when g.kind in ('birthday', 'registration') then g.occasion else g.kind || ' ' || g.occasion end,
    g.member_no,
    'email',
    case
        when g.kind in ('birthday', 'registration') then jsonb_build_object('points', g.points)
        else jsonb_build_object(
            'reason_kind', g.kind,
            'points', g.points,
            'balance', a.balance + sum(g.points) over (partition by g.member_no order by g.grant_no)
        )
    end,
    :at
from loyalty.grants as g
inner join loyalty.accounts as a on g.member_no = a.member_no
where g.entry_id is null and g.member_no >= :first_member and g.member_no < :stop_member
    and g.kind in (
        'registration', 'profile', 'referral', 'share', 'check_in', 'birthday', 'anniversary', 'visits', 'adjust'
    )
on conflict (kind, occasion, member_no) do nothing
