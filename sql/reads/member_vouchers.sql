-- does:   the vouchers issued to a member up to an instant, archived ones too, each in the state that holds then, with the tier or the
--         campaign that brought it
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
select
    v.code,
    coalesce(t.name, p.name) as tier,
    v.amount * ('1e-' || c.minor_digits)::numeric as amount,
    v.currency,
    case
        when v.state = 'issued' and v.expires_at <= :as_of then 'expired'
        when v.state = 'expired' and v.expires_at > :as_of then 'issued'
        else v.state
    end as state,
    v.issued_at,
    v.expires_at
from (
    select k.code, k.member_no, k.tier_no, k.amount, k.currency, k.state, k.issued_at, k.expires_at
    from loyalty.vouchers as k
    union all
    select a.code, a.member_no, a.tier_no, a.amount, a.currency, a.state, a.issued_at, a.expires_at
    from loyalty.voucher_archive as a
) as v
left join loyalty.tiers as t on v.tier_no = t.tier_no
left join loyalty.campaigns as p on v.tier_no = -p.campaign_no
inner join loyalty.currencies as c on v.currency = c.currency
where v.member_no = :member_no and v.issued_at <= :as_of
order by v.issued_at, v.code
