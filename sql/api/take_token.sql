-- does:   takes a token out of a bucket that holds `burst` at most and gains `per_second`; says whether there was one, and what is left
-- again:  takes one more
-- params: bucket text, per_second double precision, burst double precision, at double precision
insert into throttles as t (bucket, tokens, refused, at)
values (:bucket, cast(:burst as double precision) - 1, false, :at)
on conflict (bucket) do update
set (tokens, refused, at) = (
    select
        case when held.tokens < 1 then held.tokens else held.tokens - 1 end,
        held.tokens < 1,
        greatest(t.at, excluded.at)
    from (select least(:burst, t.tokens + greatest(excluded.at - t.at, 0) * :per_second) as tokens) as held
)
returning
    refused,
    tokens
