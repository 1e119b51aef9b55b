"""The gateway's side of the model server: V2 client, coalescing, circuit breaker, answer cache."""
