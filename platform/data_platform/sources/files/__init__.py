"""Files as sources: what an application leaves in a folder."""
