"""The models in the process of the gateway, in place of an MLServer beside it."""
