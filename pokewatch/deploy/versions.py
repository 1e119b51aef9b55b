"""Versions that a deploy refers to."""

from pokewatch.registry import Registry


def version_of(registry: Registry, name: str) -> str | None:
    """Return the version behind an alias, None where there is none."""
    found = registry.find(name)
    return found.version if found else None


def is_registered(registry: Registry, version: str) -> bool:
    """Return whether a version exists: it may have been deleted since a deploy recorded it."""
    return bool(registry.versions(f"version_number = {version}"))
