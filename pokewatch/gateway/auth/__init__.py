"""Who may call: API keys, their cache, and rate limits."""
