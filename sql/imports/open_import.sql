-- does:   makes this session's own tables for an import
-- again:  a session imports once: a second call fails
-- params: kind text, ignored integer
select loyalty.open_import(:kind, :ignored)
