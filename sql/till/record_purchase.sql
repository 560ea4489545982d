-- does:   records a sale and posts its points where the rules earn on purchase; what came of it
-- again:  a sale that was recorded is told again, and nothing is written
-- params: source text, transaction_id text, customer_id text, original_transaction_id text, occurred_at timestamptz, amount numeric, currency text, tax numeric, shipping numeric, tip numeric, fee numeric, gift_card numeric, paid_with_points numeric, discount numeric, channel text, location text, at timestamptz
select p.*
from loyalty.record_purchase(
    row(
        :source, :transaction_id, :customer_id, :original_transaction_id, :occurred_at, :amount, :currency, :tax, :shipping, :tip,
        :fee, :gift_card, :paid_with_points, :discount, :channel, :location
    )::loyalty.told_transaction,
    :at
) as p
