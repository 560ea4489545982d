-- does:   takes vouchers past their last day out of vouchers and keeps them in voucher_archive; a held one waits for its hold
-- again:  a voucher that is gone is not found; the archive's key is the code
-- params: first_member bigint, stop_member bigint, as_of timestamptz
with removed as (
    delete from loyalty.vouchers as v
    where v.expires_at <= :as_of and v.state <> 'held'
        and v.member_no >= :first_member and v.member_no < :stop_member
    returning v.*
)

insert into loyalty.voucher_archive (
    code, member_no, tier_no, from_tier_no, amount, currency, state, issued_at, expires_at, period, archived_at
)
select
    r.code,
    r.member_no,
    r.tier_no,
    r.from_tier_no,
    r.amount,
    r.currency,
    case when r.state = 'issued' then 'expired' else r.state end,
    r.issued_at,
    r.expires_at,
    r.period,
    :as_of
from removed as r
on conflict (code) do nothing
