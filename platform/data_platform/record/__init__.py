"""The record, schema `ops` of the lakehouse: what was loaded, computed, promoted, published."""
