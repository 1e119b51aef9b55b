"""What replaces or patches parts of MLServer 1.7.1, each with its reason."""
