"""When and in what order: flows stand on tasks and the library, and hold no SQL, no arithmetic and no network of their own."""
