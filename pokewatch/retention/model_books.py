"""The price books of model versions in the registry.

A version keeps its figures, parameters and tags for good. Only its book is removed, which is nearly
all of its size; a tag of the version says when.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pokewatch.registry import BOOK, BOOK_REMOVED, DEPLOYED_AT, DIGEST, Registry
from pokewatch.registry_client import RegistryClient
from pokewatch.registry_database import ListedVersion
from pokewatch.registry_records import EXPERIMENT
from pokewatch.settings import RegistrySettings

KEPT_NEWEST = 3
NEVER_SERVED = timedelta(days=7)  # since its registration, for a version never champion
_REMOVING = "removing"  # tag of a version whose book may be removed in part
_PAGE = 200


def registered_books(registry: Registry) -> dict[str, list[ListedVersion]]:
    """Return the versions with a book, or part of one, of each registered model, newest first.

    All models of the registry are included, whether PokeWatch may remove their books or not: the
    data versions that any of them cites are in use. Raise RegistryError.
    """
    embedded = RegistryClient(RegistrySettings.read())
    if embedded.is_missing():
        return {}
    listed = embedded.stored_versions()
    if listed is None:
        listed = _listed_versions(registry)
    return {
        model: [each for each in versions if each.tags.get(BOOK_REMOVED, _REMOVING) == _REMOVING]
        for model, versions in listed.items()
    }


def _listed_versions(registry: Registry) -> dict[str, list[ListedVersion]]:
    with registry.client("the model versions cannot be listed") as client:
        return {
            model.name: list(_versions_of(client, model.name, model.aliases.values()))
            for model in _all_pages(client.search_registered_models)
        }


def _versions_of(client: Any, name: str, aliased: Iterable[Any]) -> Iterator[ListedVersion]:
    with_alias = set(map(str, aliased))
    newest_first = {"order_by": ["version_number DESC"]}
    for each in _all_pages(client.search_model_versions, f"name='{name}'", **newest_first):
        yield ListedVersion(
            str(each.version),
            str(each.run_id),
            dict(each.tags),
            name,
            datetime.fromtimestamp(each.creation_timestamp / 1000, UTC),
            aliased=str(each.version) in with_alias,
        )


def unused_books(
    books: Sequence[ListedVersion], now: datetime, keep: timedelta
) -> list[ListedVersion]:
    """Return those of `books`, of one model and newest first, that no rule keeps.

    Kept are versions with an alias, the newest KEPT_NEWEST, those registered within `keep`, and
    of versions that never were champion, nor take part in an experiment, those registered within
    NEVER_SERVED. A version without a digest has no book: the records of deploys are such.
    """
    return [
        book
        for book in books[KEPT_NEWEST:]
        if DIGEST in book.tags
        and not book.aliased
        and now - book.created > (keep if _forecast(book) else min(keep, NEVER_SERVED))
    ]


def _forecast(book: ListedVersion) -> bool:
    """Return whether the forecasts of a book are compared with the prices that follow."""
    return DEPLOYED_AT in book.tags or EXPERIMENT in book.tags


def remove_book(registry: Registry, book: ListedVersion, now: datetime, *, dry_run: bool) -> int:
    """Remove a book from the registry and return its bytes. Raise RegistryError.

    The version is tagged first, so that it is not deployed meanwhile.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    name = f"the book of version {book.version} of {book.model}"
    with registry.client(f"{name} cannot be removed") as client:
        size = sum(int(file.file_size or 0) for file in client.list_artifacts(book.run_id, BOOK))
        if not dry_run:
            client.set_model_version_tag(book.model, book.version, BOOK_REMOVED, _REMOVING)
            address = client.get_run(book.run_id).info.artifact_uri
            artifacts: Any = get_artifact_repository(address, client.tracking_uri)
            artifacts.delete_artifacts(BOOK)
            day = now.date().isoformat()
            client.set_model_version_tag(book.model, book.version, BOOK_REMOVED, day)
        return size


def _all_pages(search: Callable[..., Any], *given: Any, **options: Any) -> Iterator[Any]:
    """Yield the results of a search of MLflow's client, page after page."""
    token = None
    while True:
        page = search(*given, max_results=_PAGE, page_token=token, **options)
        yield from page
        token = page.token
        if not token:
            return
