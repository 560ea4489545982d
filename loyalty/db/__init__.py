"""PostgreSQL: the embedded server, the engine, statements by name, migrations."""
