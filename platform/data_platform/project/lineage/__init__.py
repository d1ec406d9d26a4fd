"""Lineage: which columns every column of the project is made of."""
