-- does:   notes which version of the rules a proposal became
-- again:  writes the same version
-- params: approval_no bigint, version integer
update loyalty.rules_changes set version = :version where approval_no = :approval_no
