-- does:   what a channel may still send, and the row of it locked until the transaction ends
-- again:  changes nothing
-- params: provider text, tokens double precision, at timestamptz
insert into loyalty.channel_rates as r (provider, tokens, counted_at)
values (:provider, :tokens, :at)
on conflict (provider) do update
set provider = excluded.provider
returning r.tokens, r.counted_at, r.resumes_at
