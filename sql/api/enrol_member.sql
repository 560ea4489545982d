-- does:   enrols a customer who is not known: a member and its account on the first rung of the rules in force at that instant; the
--         purchases that wait for this customer are due
-- again:  a customer who is known, or was erased, is left as it is, and no row comes back
-- params: customer_id text, email text, phone text, first_name text, last_name text, birthday date, joined_on date, time_zone text, language text, email_consent boolean, sms_consent boolean, at timestamptz, wording text
with enrolled as (
    insert into members (
        customer_id, email, phone, first_name, last_name, birthday, joined_on, time_zone, language,
        email_consent, sms_consent, enrolled_at
    )
    select
        :customer_id, :email, :phone, :first_name, :last_name, :birthday, :joined_on, :time_zone, :language,
        coalesce(:email_consent, false), coalesce(:sms_consent, false), :at
    where not loyalty.is_erased('customer_id', '', :customer_id)
    on conflict (customer_id) do nothing
    returning member_no, email_consent, sms_consent
),

woken as (
    update inbox as i
    set next_try_at = :at
    from (
        select w.event_no from inbox as w
        where w.waits_for_customer = :customer_id and exists (select from enrolled)
        for update skip locked
    ) as due
    where i.waits_for_customer = :customer_id and i.event_no = due.event_no
),

agreed as (
    insert into consent_events (member_no, channel, purpose, at, given, source, wording)
    select e.member_no, s.channel, 'service', :at, true, 'api', cast(:wording as text)
    from enrolled as e
    cross join lateral (values ('email', e.email_consent), ('sms', e.sms_consent)) as s (channel, given)
    where s.given
)

insert into accounts (member_no, tier_no)
select
    e.member_no,
    l.tier_no
from enrolled as e
inner join rules_in_force as r on r.starts_at <= :at and :at < r.ends_at
inner join ladder as l on r.version = l.version and l.rung = 1
returning member_no
