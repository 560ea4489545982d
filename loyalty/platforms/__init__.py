"""Platforms that send us events: one file each, which says what proves that it sent them, and what they mean."""
