"""The markets behind the gateway."""
