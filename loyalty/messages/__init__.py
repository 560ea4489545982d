"""Messages to members: what they say, how they look, and the delivery of the outbox (semantics 12)."""
