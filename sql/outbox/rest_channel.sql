-- does:   has a channel rest, as its provider asked
-- again:  the later instant counts
-- params: provider text, at timestamptz, until timestamptz
insert into loyalty.channel_rates as r (provider, tokens, counted_at, resumes_at)
values (:provider, 1, :at, :until)
on conflict (provider) do update
set resumes_at = greatest(r.resumes_at, excluded.resumes_at)
