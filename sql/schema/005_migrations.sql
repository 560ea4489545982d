-- What was done to this database, and the schema that holds everything of ours.

create schema if not exists loyalty;
set search_path = loyalty;

-- sha256: of the migration's file, so that one changed after it was applied is found.
create table migrations (
    number integer primary key,
    name text not null unique,
    sha256 text not null,
    applied_at timestamptz not null
);
