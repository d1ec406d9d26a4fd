"""Jump's data platform: extract, load, transform and export, in one process."""

__version__ = "0.1.0"
