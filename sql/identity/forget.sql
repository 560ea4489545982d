-- does:   takes a person's identity away and keeps keyed hashes of the identifiers
-- again:  erasures' key refuses a second time
-- params: member_no bigint, erased_by text, at timestamptz
select loyalty.forget(:member_no, :erased_by, :at) as forgotten
