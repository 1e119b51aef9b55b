"""MLServer behind the gateway: the V2 client, coalescing, the breaker, and answers kept for reuse."""
