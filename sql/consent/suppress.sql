-- does:   notes addresses to which a provider won't send, by their digests; none that only an erased person had
-- again:  keeps the newest instant at which it said so, whatever the order
-- params: channel text, addresses text[], reasons text[], instants timestamptz[], source text
insert into suppressions as s (channel, address, reason, since, source)
select
    :channel,
    loyalty.address_digest(:channel, n.address),
    n.reason,
    max(n.at),
    :source
from unnest(cast(:addresses as text []), cast(:reasons as text []), cast(:instants as timestamptz [])) as n (address, reason, at)
where not loyalty.is_nobodys(:channel, n.address)
group by 2, 3
order by 2, 3
on conflict on constraint suppressions_once do update set
    since = greatest(s.since, excluded.since),
    source = case when excluded.since > s.since then excluded.source else s.source end
