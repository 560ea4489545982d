-- does:   records the good rates; a new rate for a day replaces the old one, and what was converted by that stays
-- again:  writes the same
-- params: none
insert into exchange_rates (day, currency, rate)
select day, currency, rate from import_rates
where reason is null and not unchanged and not later
order by currency, day
on conflict (currency, day) do update set rate = excluded.rate
