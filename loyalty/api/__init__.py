"""The HTTP service around the engine: FastAPI in front, one database transaction behind each request."""
