"""Looks at a table of an application before anybody has stated it, for a draft."""
