"""Loyalty Flows: the library. It never imports Prefect; `flows` and `tasks` stand on it."""
