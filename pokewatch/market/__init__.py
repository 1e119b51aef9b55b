"""Cards and prices: sources, collection, quality checks, the lake and its versions."""
