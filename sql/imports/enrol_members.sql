-- does:   enrols the customers of good rows who are not known: a member and its account on the first rung
-- again:  a customer who is known is left as it is
-- params: enrolled_at timestamptz, tier_no smallint, wording text
with enrolled as (
    insert into members (
        customer_id, email, phone, first_name, last_name, birthday, joined_on, time_zone, language,
        email_consent, sms_consent, enrolled_at
    )
    select
        r.customer_id, r.email, r.phone, r.first_name, r.last_name, r.birthday, r.joined_on, r.time_zone, r.language,
        coalesce(r.email_consent, false), coalesce(r.sms_consent, false), :enrolled_at
    from import_members as r
    where r.reason is null and not r.unchanged and not r.later
        and not exists (select from members as m where m.customer_id = r.customer_id)
    order by r.customer_id
    returning member_no, email_consent, sms_consent
),

agreed as (
    insert into consent_events (member_no, channel, purpose, at, given, source, wording)
    select e.member_no, s.channel, 'service', :enrolled_at, true, 'import', cast(:wording as text)
    from enrolled as e
    cross join lateral (values ('email', e.email_consent), ('sms', e.sms_consent)) as s (channel, given)
    where s.given
)

insert into accounts (member_no, tier_no)
select member_no, :tier_no from enrolled
