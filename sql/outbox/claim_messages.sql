-- does:   locks the next queued messages of some channels that are due, and reads all that sending them takes, and
--         all that may forbid it
-- again:  changes nothing; the locks go with the transaction, and rows that somebody else has locked are passed over
-- params: channels text[], after bigint, batch integer, as_of timestamptz, version integer
with claimed as materialized (
    select
        o.message_no,
        o.kind::text as kind,
        o.member_no,
        o.channel,
        coalesce(o.facts, loyalty.message_facts(o.kind, o.occasion, o.member_no)) as facts,
        o.queued_at,
        o.tries
    from loyalty.outbox as o
    where o.state = 'queued' and o.message_no > :after and o.channel = any(:channels)
        and (o.not_before is null or o.not_before <= :as_of)
    order by o.message_no
    limit :batch
    for update skip locked
)

select
    c.message_no,
    c.kind,
    c.member_no,
    c.channel,
    c.facts,
    c.tries,
    to_char(c.queued_at at time zone p.time_zone, 'YYYY-MM-DD') as queued_on,
    btrim(case when c.channel = 'email' then m.email else m.phone end) as address,
    coalesce(m.first_name, '') as first_name,
    m.language,
    m.time_zone,
    l.multiplier,
    v.code as voucher_code,
    v.amount as voucher_amount,
    v.currency as voucher_currency,
    v.expires_at as voucher_expires_at,
    loyalty.purpose_of(c.kind::loyalty.message_kind) as purpose,
    m.member_no is null or m.erased_at is not null as erased,
    coalesce(case when c.channel = 'email' then m.email_consent else m.sms_consent end, false) as consents,
    case
        when loyalty.purpose_of(c.kind::loyalty.message_kind) = 'marketing'
            then loyalty.newest_consent(c.member_no, c.channel, 'marketing')
    end as consents_to_offers,
    (
        select min(s.reason) from loyalty.suppressions as s
        where s.channel = c.channel
            and s.address = loyalty.address_digest(c.channel, case when c.channel = 'email' then m.email else m.phone end)
            and coalesce(s.since > s.lifted_at, true)
    ) as suppressed,
    (c.kind in ('tier_upgrade', 'tier_changed_down', 'tier_at_risk') and t.name is distinct from c.facts ->> 'tier')
    -- a close has prolonged the hold since: nothing is at risk any more
    or (c.kind = 'tier_at_risk' and coalesce(to_char(a.held_until, 'YYYY-MM-DD') > c.facts ->> 'held_until', false))
    or (c.kind in ('voucher_issued', 'voucher_expiring') and v.code is null)
    or (c.kind = 'personal_offer' and c.facts ->> 'voucher' is not null and v.code is null) as stale
from claimed as c
cross join loyalty.programme as p
left join loyalty.members as m on c.member_no = m.member_no
left join loyalty.accounts as a on c.member_no = a.member_no
left join loyalty.tiers as t on a.tier_no = t.tier_no
left join loyalty.ladder as l on l.version = :version and t.tier_no = l.tier_no
left join loyalty.vouchers as v
    on v.code = coalesce(c.facts ->> 'code', c.facts ->> 'voucher') and c.member_no = v.member_no
    and v.state = 'issued' and v.expires_at > :as_of
order by c.message_no
