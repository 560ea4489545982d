-- does:   an e-mail into the outbox for each member whose points expire within the days that the rules name, one for each expiry date
-- again:  outbox_once (kind, occasion, member) makes a repeat write nothing
-- params: first_member bigint, stop_member bigint, as_of timestamptz, recorded_at timestamptz, version integer
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
select
    'points_expiring',
    to_char(l.expires_at at time zone p.time_zone, 'YYYY-MM-DD'),
    l.member_no,
    'email',
    jsonb_build_object('points', sum(l.remaining), 'expires_at', l.expires_at),
    :recorded_at
from loyalty.lots as l
inner join loyalty.rules_versions as v on v.version = :version
cross join loyalty.programme as p
where l.remaining > 0 and l.expires_at > :as_of
    and l.expires_at <= :as_of + make_interval(days => v.expiry_warning_days)
    and l.member_no >= :first_member and l.member_no < :stop_member
group by l.member_no, l.expires_at, p.time_zone
on conflict on constraint outbox_once do nothing
