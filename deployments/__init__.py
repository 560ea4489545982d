"""Where flows run: the blocks registered, the local stack, and the demo on it."""
