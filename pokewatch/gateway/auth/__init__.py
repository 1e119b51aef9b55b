"""Authentication and rate limits: API keys, their store and cache, limits per key and address."""
