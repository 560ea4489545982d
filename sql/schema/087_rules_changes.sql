-- Changes of the rules that were asked for: the text, what it would replace, and what a simulated month says of the difference.
-- A proposal is known by its content: the same text in place of the same version from the same month is the same proposal, and
-- another attempt of it only if the one before was rejected or lapsed.
create table loyalty.rules_changes (
    change_no bigint generated always as identity primary key,
    from_period date not null check (extract(day from from_period) = 1),
    base_version integer not null references loyalty.rules_versions,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    attempt integer not null check (attempt >= 1),
    document text not null,
    note text not null check (length(note) <= 500),
    asked_by text not null,
    asked_at timestamptz not null,
    figures jsonb not null,
    approval_no bigint unique references loyalty.approvals,
    version integer references loyalty.rules_versions,
    constraint rules_changes_once unique (from_period, base_version, digest, attempt)
);

comment on column loyalty.rules_changes.base_version is 'the version that rules from_period as the proposal is made';
comment on column loyalty.rules_changes.digest is 'sha256 of the document, in hexadecimal digits';
comment on column loyalty.rules_changes.figures is 'the simulated month under both rules, as it was when the proposal was made';
comment on column loyalty.rules_changes.approval_no is 'null: the rules let one person change them';
comment on column loyalty.rules_changes.version is 'the version that it became; null while it is not applied';
