"""Experiments at scale: searches over configurations, their reports, and the source's claims."""
