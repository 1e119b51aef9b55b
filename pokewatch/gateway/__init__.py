"""The gateway: keys, limits, composition and pages in front of MLServer. It holds no data and no model."""
