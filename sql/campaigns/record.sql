-- does:   keeps a campaign that is asked for, under a number of its own unless it is given one; its number
-- again:  a name is a campaign once: the second is refused
-- params: campaign_no smallint, name text, document text, digest text, gives text, starts_on date, ends_on date, points bigint, multiplier numeric, voucher_amount bigint, voucher_days integer, message text, budget bigint, member_cap bigint, holdout numeric, tiers text[], segments text[], recency smallint[], frequency smallint[], money smallint[], minimum bigint, locations text[], channels text[], weekdays smallint[], minutes smallint[], attempt integer, asked_by text, asked_at timestamptz, note text, figures jsonb, approval_no bigint
insert into loyalty.campaigns (
    campaign_no, name, document, digest, gives, starts_at, ends_at, points, multiplier, voucher_amount, voucher_days, message, budget, member_cap,
    holdout, tiers, segments, recency, frequency, money, minimum, locations, channels, weekdays, minutes, attempt, asked_by, asked_at,
    note, figures, approval_no
)
overriding system value
values (
    coalesce(cast(:campaign_no as smallint), nextval('loyalty.campaigns_campaign_no_seq')), :name, :document, :digest, :gives, loyalty.day_start(:starts_on), loyalty.day_start(:ends_on + 1), :points, :multiplier,
    :voucher_amount, :voucher_days, :message, :budget, :member_cap, :holdout, :tiers, :segments, :recency, :frequency, :money,
    :minimum, :locations, :channels, :weekdays, :minutes, :attempt, :asked_by, :asked_at, :note, cast(:figures as jsonb), :approval_no
)
returning campaign_no
