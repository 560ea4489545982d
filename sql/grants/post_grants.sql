-- does:   posts what is granted to members of the range and not posted yet: entries, lots, balances; how many
-- again:  a grant that has its entry is left out
-- params: first_member bigint, stop_member bigint, at timestamptz
select loyalty.post_grants(:first_member, :stop_member, :at) as posted
