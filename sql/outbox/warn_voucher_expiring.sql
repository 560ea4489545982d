-- does:   an e-mail into the outbox for each voucher that expires within the days that the rules name
-- again:  outbox_once (kind, occasion, member) makes a repeat write nothing; the occasion is the code
-- params: first_member bigint, stop_member bigint, as_of timestamptz, recorded_at timestamptz, version integer
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
select
    'voucher_expiring',
    w.code,
    w.member_no,
    'email',
    jsonb_build_object('code', w.code, 'amount', w.amount, 'currency', w.currency, 'expires_at', w.expires_at),
    :recorded_at
from loyalty.vouchers as w
inner join loyalty.rules_versions as v on v.version = :version
where w.state = 'issued' and w.expires_at > :as_of
    and w.expires_at <= :as_of + make_interval(days => v.voucher_warning_days)
    and w.member_no >= :first_member and w.member_no < :stop_member
on conflict on constraint outbox_once do nothing
