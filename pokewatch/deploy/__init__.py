"""Deploying a model: the transaction, MLServer's replicas, and the checks that they must pass."""
