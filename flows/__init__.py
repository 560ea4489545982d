"""When and in what order: flows stand on tasks and the library, and hold no SQL and no arithmetic of their own."""
