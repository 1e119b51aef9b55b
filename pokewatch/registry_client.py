"""The connection to MLflow, whose every failure is raised as a RegistryError."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pokewatch.errors import RegistryError, storage_remedy
from pokewatch.registry_database import (
    ListedVersion,
    StoredVersion,
    artifacts_of,
    ensure,
    read_alias,
    read_aliased,
    read_model_tag,
    read_versions,
)
from pokewatch.settings import RegistrySettings, private_folder
from pokewatch.wording import refusal

_MAX_MODELS = 1_000
_FAILED_FILE = re.compile(r"##### File (.+?) #####\n(.*?)(?=\n#####|\Z)", re.DOTALL)


class RegistryClient:
    """An MLflow client that connects on first use.

    Importing MLflow and opening its database take seconds.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._uri = settings.tracking_uri()
        self._connected: Any = None
        # Read when MLflow is imported: whoever imports it has made a client before.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

    @contextmanager
    def request(self, failure: str) -> Iterator[Any]:
        """Yield the client; its errors become a RegistryError that begins with `failure`."""
        try:
            yield self._client()
        except RegistryError:
            raise
        except Exception as error:
            credentials = urlsplit(self._uri).netloc.rpartition("@")[0]
            address, cause = self._uri, _cause(error)
            if credentials:
                address, cause = (text.replace(f"{credentials}@", "") for text in (address, cause))
            raise RegistryError(f"{failure} at {address}: {cause}{storage_remedy(cause)}") from (
                None if credentials else error
            )

    def is_missing(self) -> bool:
        """Return whether the registry is embedded and its database has not been created yet."""
        if not self._settings.is_embedded():
            return False
        try:
            return not self._database().exists()
        except OSError as error:
            raise RegistryError(f"the registry cannot be read: {refusal(error)}") from error

    def stored_alias(self, alias: str) -> StoredVersion | None:
        """Return the version behind an alias of an embedded registry, without importing MLflow.

        Return None where there is none, or only MLflow can tell.
        """
        if not self._settings.is_embedded():
            return None
        return read_alias(self._database(), self._settings.registered_model(), alias)

    def stored_model_tag(self, name: str) -> str | None:
        """Return a tag of an embedded registry's model, "" if it has none, without MLflow.

        Return None where only MLflow can tell.
        """
        if not self._settings.is_embedded():
            return None
        return read_model_tag(self._database(), self._settings.registered_model(), name)

    def stored_versions(self) -> dict[str, list[ListedVersion]] | None:
        """Return all versions of each model of an embedded registry, newest first, without MLflow.

        Return None where only MLflow can tell.
        """
        return read_versions(self._database()) if self._settings.is_embedded() else None

    def model_tag(self, name: str) -> str:
        """Return a tag of the registered model, "" if it has none."""
        stored = self.stored_model_tag(name)
        if stored is not None:
            return stored
        if self.is_missing():
            return ""
        with self.request(f"the state {name!r} cannot be read") as client:
            from mlflow.exceptions import MlflowException

            try:
                model = client.get_registered_model(self._settings.registered_model())
                return str(model.tags.get(name, ""))
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return ""
                raise

    def models_with(self, alias: str) -> list[str]:
        """Return the names of the registered models that have an alias, in order."""
        if self.is_missing():
            return []
        if self._settings.is_embedded():
            stored = read_aliased(self._database(), alias)
            if stored is not None:
                return stored
        with self.request("the registered models cannot be listed") as client:
            found = client.search_registered_models(max_results=_MAX_MODELS)
            return sorted(model.name for model in found if alias in model.aliases)

    def experiment(self, client: Any) -> str:
        """Return the id of the experiment of the registered model's runs, created if missing."""
        from mlflow.exceptions import MlflowException

        name = self._settings.registered_model()
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # A server decides itself where artifacts are.
        location = artifacts_of(self._database()) if self._settings.is_embedded() else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(client.get_experiment_by_name(name).experiment_id)  # another made it

    def _client(self) -> Any:
        if self._connected is None:
            from mlflow.tracking import MlflowClient

            logging.getLogger("alembic").setLevel(logging.WARNING)
            # Of a server, that it waits 300 seconds for a version that is ready at once.
            registered = logging.getLogger("mlflow.store.model_registry.abstract_store")
            registered.setLevel(logging.WARNING)
            # It would log, with a traceback, errors that it raises besides.
            logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
            if self._settings.is_embedded():
                self._prepare_database()
            self._connected = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._connected

    def _prepare_database(self) -> None:
        # Imports Alembic, which an installation that only asks a server does not have.
        from mlflow.store.db import utils

        # MLflow would create the folder of the percent-encoded path, a different one.
        utils._make_parent_dirs_if_sqlite = lambda db_uri: None  # noqa: ARG005
        private_folder(self._database().parent)
        ensure(self._database(), self._settings.registered_model())

    def _database(self) -> Path:
        return Path(unquote(self._uri.removeprefix("sqlite:///"))).absolute()


def _cause(error: Exception) -> str:
    """Return the message of an error, and for a database error only what the database said.

    SQLAlchemy adds the statement and its values, in lines of their own. Of the files that could
    not be downloaded, the first stands for all.
    """
    of_database = getattr(error.__cause__, "orig", None)
    if of_database is not None:
        return " ".join(str(of_database).split())
    failed = _FAILED_FILE.search(str(error))
    return f"{failed[1]}: {' '.join(failed[2].split())}" if failed else str(error)


def download(client: Any, run_id: str, name: str, folder: str) -> Path:
    """Download an artifact of a run into `folder`, and return its path.

    The client's own download hides why it failed.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    root = client.get_run(run_id).info.artifact_uri
    repository: Any = get_artifact_repository(root, tracking_uri=client.tracking_uri)
    return Path(repository.download_artifacts(name, folder))


def ensure_registered_model(client: Any, name: str) -> None:
    """Create the registered model unless it exists."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
