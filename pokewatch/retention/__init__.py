"""Removal of what nothing uses any more: price books, data versions, runs and leftovers.

Every rule names what it keeps. What is served, what a rollback would serve and what is younger than
`POKEWATCH_KEEP_DAYS` is never removed.
"""
