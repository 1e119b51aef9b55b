"""Numbered records in the model registry: versions of a registered model of their own.

Every MLflow backend numbers them uniquely and in order. The tags of a record are its content, each
written by itself, so that two processes that write different tags do not undo each other.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from pokewatch.contract import RecordKind, records_model
from pokewatch.errors import RegistryError
from pokewatch.registry import Registry
from pokewatch.registry_client import ensure_registered_model

EXPERIMENT = "experiment"  # tag of a model version: the number of the experiment it takes part in
_MAX_RECORDS = 200
_ATTEMPTS = 10  # to get a number; MLflow itself tries three times in each


class RegistryRecords:
    """The records of one `kind`, such as `deploy`, separate for each branch of the registry."""

    def __init__(self, registry: Registry, kind: RecordKind) -> None:
        self._registry = registry
        self._kind = kind
        self._name = registry.branch_name(records_model(registry.name, kind))

    def create(self, tags: Mapping[str, str]) -> int:
        """Create the next record. Return its number."""
        from mlflow.exceptions import MlflowException

        for _ in range(_ATTEMPTS):
            with self._registry.client(f"the {self._kind} cannot be recorded") as client:
                ensure_registered_model(client, self._name)
                source = f"pokewatch:/{self._kind}"
                try:
                    made = client.create_model_version(self._name, source, tags=dict(tags))
                except MlflowException as error:
                    if "Giving up" not in str(error):
                        raise
                    continue  # others took every number that was tried
                return int(made.version)
        raise RegistryError(
            f"the {self._kind} cannot be recorded: too many others started at the same time"
        )

    def read(self, number: int) -> Mapping[str, str]:
        """Return the tags of a record."""
        with self._request(number, "read") as client:
            return dict(client.get_model_version(self._name, str(number)).tags)

    def newest(self) -> list[tuple[int, Mapping[str, str]]]:
        """Return the numbers and tags of the newest records, newest first."""
        with self._registry.client(f"the records of {self._kind}s cannot be read") as client:
            found = client.search_model_versions(
                f"name='{self._name}'", _MAX_RECORDS, order_by=["version_number DESC"]
            )
            return [(int(each.version), dict(each.tags)) for each in found]

    def set_tag(self, number: int, tag: str, text: str) -> None:
        """Set one tag of a record."""
        with self._request(number, "written") as client:
            client.set_model_version_tag(self._name, str(number), tag, text)

    def delete_tag(self, number: int, tag: str) -> None:
        """Delete one tag of a record."""
        with self._request(number, "written") as client:
            client.delete_model_version_tag(self._name, str(number), tag)

    def _request(self, number: int, done: str) -> AbstractContextManager[Any]:
        return self._registry.client(f"the record of {self._kind} {number} cannot be {done}")
