-- Purchases in a currency that has no rate on the day of the sale: kept until a file of rates brings it.

alter table loyalty.inbox add column waits_for_currency text, add column waits_for_day date;

comment on column loyalty.inbox.waits_for_currency is 'of an event that waits for a rate: whose, and waits_for_day of which day in the programme''s zone';

create index inbox_waits_for_rate on loyalty.inbox (waits_for_currency, waits_for_day)
where state = 'waiting' and waits_for_currency is not null;
