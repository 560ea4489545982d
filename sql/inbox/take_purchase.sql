-- does:   keeps a purchase as it came and records it, all at once; no row comes back, and nothing is written, if that takes more
-- again:  a purchase that is known is left as it is, and no row comes back
-- params: source text, transaction_id text, customer_id text, occurred_at timestamptz, amount numeric, currency text, tax numeric, shipping numeric, tip numeric, fee numeric, gift_card numeric, paid_with_points numeric, discount numeric, channel text, location text, digest bytea, body bytea, at timestamptz
select
    t.answer,
    t.points
from loyalty.take_purchase(
    row(
        :source, :transaction_id, :customer_id, null, :occurred_at, :amount, :currency, :tax, :shipping, :tip, :fee, :gift_card,
        :paid_with_points, :discount, :channel, :location
    )::loyalty.told_transaction,
    :digest, :body, :at
) as t
