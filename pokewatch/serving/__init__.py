"""The model servers: MLServer runtimes that answer from a price book."""
