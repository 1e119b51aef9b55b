"""The batch half, step by step: what the steps of the flows call."""
