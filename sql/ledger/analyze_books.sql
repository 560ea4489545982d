-- does:   tells the planner of the books as wholes: the server looks by itself only at their parts
-- again:  does the same; a table that somebody holds is skipped
-- params: none
analyze (skip_locked) entries, lots, tier_history, vouchers, outbox
