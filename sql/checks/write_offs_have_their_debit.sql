-- does:   finds points written off without a debit of that member, period and cause
-- again:  reads only
-- params: none
select
    w.member_no,
    w.entry_id,
    w.period,
    w.points
from loyalty.entries as w
where w.kind = 'write_off'
    and not exists (
        select from loyalty.entries as e
        where e.period = w.period and e.member_no = w.member_no and e.cause = w.cause
            and e.kind in ('earn', 'take_back', 'correction', 'adjust', 'campaign') and e.points <= -w.points
    )
