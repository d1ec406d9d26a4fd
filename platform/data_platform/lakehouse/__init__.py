"""The lakehouse: one file, who may write to it, a run as a transaction, what is published."""
