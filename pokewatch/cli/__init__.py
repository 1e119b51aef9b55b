"""The `pokewatch` command."""
