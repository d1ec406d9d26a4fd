"""Databases as sources: everything of one moment, every value as it is."""
