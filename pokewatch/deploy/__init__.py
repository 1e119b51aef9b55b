"""Deploying a model: the transaction, MLServer's replicas, and the canary that watches them."""
