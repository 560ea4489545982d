"""With what secrets: typed Prefect blocks that yield plain settings for the library. None is loaded at import."""
