"""Versions that exist, or were deleted."""

from pathlib import Path

from pokewatch.deploy.versions import is_registered, version_of
from pokewatch.registry import CHAMPION, PREVIOUS, Registry
from tests.deploy.versions import register_book


def test_a_version_that_was_deleted_is_not_registered(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    version = register_book(registry, tmp_path / "book")
    registry.set_alias(CHAMPION, version)
    assert is_registered(registry, version)
    assert (version_of(registry, CHAMPION), version_of(registry, PREVIOUS)) == (version, None)
    with registry.client("cannot delete") as client:
        client.delete_model_version(registry.name, version)
    assert not is_registered(registry, version)
    assert version_of(registry, CHAMPION) is None
