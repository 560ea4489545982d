-- does:   turns the words of each rate into values, or finds the reason why the row can't be taken
-- again:  writes into this session's own tables, emptied before each part of the file
-- params: currency text
insert into import_rates (line, day, currency, rate, reason)
select
    w.line, w.day, w.currency, w.rate,
    case
        when w.day is null then 'wrong date'
        when not w.known or w.currency = :currency then 'wrong currency'
        when w.rate is null or w.rate = 0 then 'wrong rate'
    end
from (
    select
        r.line,
        r.currency,
        c.currency is not null as known,
        case when loyalty.is_iso_date(r.date) then r.date::date end as day,
        case when r.rate ~ '^[0-9]{1,12}([.][0-9]{1,12})?$' then r.rate::numeric end as rate
    from import_rates_raw as r
    left join currencies as c on r.currency = c.currency
    offset 0
) as w
