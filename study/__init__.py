"""What is asked of the model at scale: searches over configurations, and the source's claims."""
