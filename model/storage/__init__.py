"""Files and folders: atomic replacement, ownership, permissions and caches."""
