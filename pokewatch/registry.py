"""The model registry (MLflow): runs, registered versions and the aliases that say which of them serves.

A registered version is a price book and where it came from. `challenger` is the last one that passed the gate,
`champion` the one that serves, `previous` the champion before it.
"""

import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pokewatch.errors import BookError, NoChampionError, RegistryError
from pokewatch.registry_database import artifacts_of, ensure, read_alias
from pokewatch.settings import Home, RegistrySettings, private_folder
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.copies import copy_of, move_book, open_copy, prune, remove
from pokewatch.valuation.book.layout import is_digest

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
BOOK = "book"
DEPLOYED_AT = "deployed_at"  # tag of a version: when it last became champion
REFUSED = "refused"  # tag of a version: why a deploy took it back
LAST_DAY = "last_day"  # tag of a version: the last day of its prices
_VERSIONS = 200
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One registered version: `digest` names its price book, `data_version` the prices it was made from."""

    version: str
    run_id: str
    digest: str
    data_version: str
    tags: Mapping[str, str]


class Registry:
    """The registry at `settings.tracking_uri()`. Every failure to reach it is a RegistryError."""

    def __init__(self, settings: RegistrySettings | None = None) -> None:
        self._settings = settings or RegistrySettings.read()
        self._uri = self._settings.tracking_uri()
        self._name = self._settings.model_name
        self._connected: Any = None

    @property
    def name(self) -> str:
        """The name of the registered model."""
        return self._name

    @property
    def branch(self) -> str:
        """The branch whose aliases and remembered texts these are; "" for production's."""
        return self._settings.branch

    def named(self, name: str) -> str:
        """Return `name` as it is called on the branch."""
        return f"{name}--{self.branch.replace('.', '-')}" if self.branch else name

    @contextmanager
    def asked(self, what: str) -> Iterator[Any]:
        """Lend the MLflow client; what it raises is a RegistryError that begins with `what`."""
        with self._asked(what):
            yield self._client()

    def log_run(
        self,
        book: Path,
        *,
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        documents: Mapping[str, Any] | None = None,
    ) -> str:
        """Log a run with the folder `book` and JSON `documents` as artifacts; its run id."""
        with self._asked("the run cannot be logged"):
            client = self._client()
            run = client.create_run(self._experiment(client), tags=dict(tags))
            run_id = str(run.info.run_id)
            try:
                self._log_figures(client, run_id, parameters, metrics)
                client.log_artifacts(run_id, str(book), BOOK)
                for name, document in (documents or {}).items():
                    client.log_dict(run_id, document, name)
            except BaseException:
                client.set_terminated(run_id, "FAILED")
                raise
            client.set_terminated(run_id)
            return run_id

    def register(self, run_id: str, digest: str) -> RegisteredModel:
        """A new version from the run's book; the run's tags (`data_version` among them) become the version's."""
        if not is_digest(digest):
            raise RegistryError(
                f"run {run_id} cannot be registered: {digest[:80]!r} is not 64 hexadecimal digits"
            )
        with self._asked(f"run {run_id} cannot be registered"):
            client = self._client()
            run = client.get_run(run_id)
            self._ensure_registered_model(client)
            tags = {
                name: value
                for name, value in run.data.tags.items()
                if not name.startswith("mlflow.")
            } | {"digest": digest}
            version = client.create_model_version(
                self._name, f"{run.info.artifact_uri}/{BOOK}", run_id, tags=tags
            )
            return _registered(version)

    def resolve(self, alias: str = CHAMPION) -> RegisteredModel:
        """The version an alias points to. Raises NoChampionError where there is none."""
        if self._is_embedded():
            if not self._database().exists():
                raise NoChampionError(_nothing_behind(alias, self.branch))
            if stored := read_alias(self._database(), self._name, self.named(alias)):
                return _registered(stored)
        with self._asked(f"alias {alias!r} cannot be resolved"):
            from mlflow.exceptions import MlflowException

            try:
                return _registered(
                    self._client().get_model_version_by_alias(self._name, self.named(alias))
                )
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    raise NoChampionError(_nothing_behind(alias, self.branch)) from None
                raise

    def version(self, version: str) -> RegisteredModel:
        """One registered version. Raises RegistryError where there is none of that number."""
        with self._asked(f"model version {version!r} cannot be found"):
            return _registered(self._client().get_model_version(self._name, version))

    def versions(self, where: str = "") -> list[RegisteredModel]:
        """The newest versions, at most 200, newest first; `where` is a further condition of MLflow's."""
        wanted = f"name='{self._name}'" + (f" and {where}" if where else "")
        with self._asked("the model versions cannot be listed"):
            found = self._client().search_model_versions(
                wanted, _VERSIONS, order_by=["version_number DESC"]
            )
            return [_registered(version) for version in found]

    def log_figures(self, model: RegisteredModel, figures: Mapping[str, float], step: int) -> None:
        """Add figures to the run of a version, as what they were at `step`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        with self._asked(f"the figures of model version {model.version} cannot be logged"):
            metrics = [Metric(name, value, now, step) for name, value in figures.items()]
            self._client().log_batch(model.run_id, metrics=metrics)

    def point(self, alias: str, version: str) -> None:
        """Make `alias` name `version`, whatever it named before."""
        with self._asked(f"alias {alias!r} cannot be moved to version {version}"):
            self._client().set_registered_model_alias(self._name, self.named(alias), version)

    def mark(self, version: str, name: str, value: str) -> None:
        """Set a tag of a registered version."""
        with self._asked(f"model version {version} cannot be marked with {name}"):
            self._client().set_model_version_tag(self._name, version, name, value)

    def release(self, alias: str) -> None:
        """Make `alias` name nothing."""
        with self._asked(f"alias {alias!r} cannot be removed"):
            self._client().delete_registered_model_alias(self._name, self.named(alias))

    def remember(self, name: str, value: str) -> None:
        """Keep a short text under a name, whatever was kept before."""
        with self._asked(f"{name} cannot be kept"):
            client = self._client()
            self._ensure_registered_model(client)
            client.set_registered_model_tag(self._name, self.named(name), value)

    def recall(self, name: str) -> str:
        """What was last kept under a name; "" where nothing was."""
        if self._is_embedded() and not self._database().exists():
            return ""
        with self._asked(f"{name} cannot be read"):
            from mlflow.exceptions import MlflowException

            try:
                return str(
                    self._client().get_registered_model(self._name).tags.get(self.named(name), "")
                )
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return ""
                raise

    def fetch_book(self, model: RegisteredModel) -> Path:
        """The folder of the version's book on this machine, downloaded where it is not there. Whether it is intact, opening it tells.

        Books fetched long ago go, beyond POKEWATCH_BOOKS_KEPT: the registry has them all.
        """
        folder = copy_of(Home.read().books, model.digest)
        if folder.is_symlink():
            remove(folder)
        try:
            os.utime(folder)
        except FileNotFoundError:
            self._download(model, folder)
        prune(folder.parent, self._settings.books_kept)
        return folder

    def open_book(self, model: RegisteredModel) -> PriceBook:
        """Return the version's book, verified. A damaged copy is removed and fetched again, once. Raise BookError, RegistryError."""
        try:
            return open_copy(self.fetch_book(model), model.digest)
        except BookError:
            remove(copy_of(Home.read().books, model.digest))
            return open_copy(self.fetch_book(model), model.digest)

    def _download(self, model: RegisteredModel, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            self._asked(f"the book of model version {model.version} cannot be fetched"),
            tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch,
        ):
            self._client().download_artifacts(model.run_id, BOOK, scratch)
            move_book(Path(scratch) / BOOK, folder)

    def document(self, model: RegisteredModel, name: str) -> Any:
        """A JSON document logged with the version's run."""
        with (
            self._asked(f"{name} of model version {model.version} cannot be read"),
            tempfile.TemporaryDirectory() as scratch,
        ):
            return json.loads(
                Path(self._client().download_artifacts(model.run_id, name, scratch)).read_text()
            )

    def _client(self) -> Any:
        """The MLflow client, made on first use: importing MLflow and opening its database take seconds."""
        if self._connected is None:
            os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
            from mlflow.store.db import utils
            from mlflow.tracking import MlflowClient

            for chatty in ("mlflow.store.db.utils", "alembic"):
                logging.getLogger(chatty).setLevel(logging.WARNING)
            if self._is_embedded():
                # MLflow would make the folder from the quoted path, which is that of another one.
                utils._make_parent_dirs_if_sqlite = lambda db_uri: None  # noqa: ARG005
                private_folder(self._database().parent)
                ensure(self._database(), self._name)
            self._connected = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._connected

    def _experiment(self, client: Any) -> str:
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(self._name)
        if found is not None:
            return str(found.experiment_id)
        beside = artifacts_of(self._database()) if self._is_embedded() else None
        try:
            return str(client.create_experiment(self._name, artifact_location=beside))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(
                client.get_experiment_by_name(self._name).experiment_id
            )  # another process was first

    def _log_figures(
        self, client: Any, run_id: str, parameters: Mapping[str, Any], metrics: Mapping[str, float]
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in parameters.items()],
        )

    def _ensure_registered_model(self, client: Any) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _is_embedded(self) -> bool:
        return self._settings.is_embedded()

    def _database(self) -> Path:
        return Path(unquote(self._uri.removeprefix("sqlite:///"))).absolute()

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        """Raise whatever MLflow and the transports below it raise as RegistryError."""
        try:
            yield
        except RegistryError:
            raise
        except Exception as error:
            credentials = urlsplit(self._uri).netloc.rpartition("@")[0]
            address, cause = self._uri, str(error)
            if credentials:
                address, cause = (text.replace(f"{credentials}@", "") for text in (address, cause))
            raise RegistryError(f"{what} at {address}: {cause}") from (
                None if credentials else error
            )


def changed_of(source: str) -> str:
    """The name under which `Registry.recall` knows since which day the market of a source is another one."""
    return f"market_changed.{source}"


def _registered(version: Any) -> RegisteredModel:
    tags = dict(version.tags)
    missing = [name for name in ("digest", "data_version") if name not in tags]
    if missing:
        raise RegistryError(
            f"model version {version.version} has no tag {missing[0]!r}: PokeWatch did not register it"
        )
    digest, run_id = tags["digest"], str(version.run_id)
    if not is_digest(digest):
        raise RegistryError(
            f"model version {version.version} has the tag digest {digest[:80]!r}, which is not 64 hexadecimal digits"
        )
    if not _RUN_ID.fullmatch(run_id):
        raise RegistryError(
            f"model version {version.version} has the run id {run_id[:80]!r}, which is not 32 hexadecimal digits"
        )
    return RegisteredModel(str(version.version), run_id, digest, tags["data_version"], tags)


def _nothing_behind(alias: str, branch: str) -> str:
    whose = f" of branch {branch}" if branch else ""
    return f"no model is {alias}{whose} yet: run the pipeline first (pokewatch pipeline run)"
