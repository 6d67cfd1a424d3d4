"""The float64 twin of the integer model, and how far the two may differ."""
