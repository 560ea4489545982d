-- does:   records a proposal with what the simulated month says of it
-- again:  the key (month, version replaced, digest, attempt) makes a repeat write nothing, and then no row is told
-- params: from_period date, base_version integer, digest text, attempt integer, document text, note text, asked_by text, asked_at timestamptz, figures jsonb, approval_no bigint, version integer
insert into loyalty.rules_changes (
    from_period, base_version, digest, attempt, document, note, asked_by, asked_at, figures, approval_no, version
) values (
    :from_period, :base_version, :digest, :attempt, :document, :note, :asked_by, :asked_at, cast(:figures as jsonb),
    :approval_no, :version
)
on conflict on constraint rules_changes_once do nothing
returning change_no
