"""The batch half: one function for each step of the flows."""
