"""The log of what callers were shown and what they judged, for experiments."""
