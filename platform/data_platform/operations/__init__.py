"""The platform in service: days replayed, its status, lineage events, cleaning up."""
