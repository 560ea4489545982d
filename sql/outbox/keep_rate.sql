-- does:   keeps what a channel may still send
-- again:  writes the same
-- params: provider text, tokens double precision, at timestamptz
update loyalty.channel_rates as r
set
    tokens = :tokens,
    counted_at = :at
where r.provider = :provider
