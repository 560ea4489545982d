-- does:   whether a member agrees to something now: what the newest event says, null where there is none; of a service, what the row says
-- again:  reads only
-- params: member_no bigint, channel text, purpose text
select
    case
        when :purpose = 'marketing' then loyalty.newest_consent(m.member_no, :channel, :purpose)
        when :channel = 'email' then m.email_consent
        else m.sms_consent
    end as holds
from members as m
where m.member_no = :member_no and m.erased_at is null
