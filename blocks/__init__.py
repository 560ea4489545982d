"""With what secrets: typed Prefect blocks, each of which yields plain settings for the library. None is loaded at import."""
