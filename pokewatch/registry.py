"""The model registry (MLflow): runs, registered versions, aliases, and the state of monitoring.

A registered version is a price book with its provenance. `challenger` is the last version that
passed the gate, `champion` the version that is served, `previous` the champion before it. `canary`
is a version that a deploy or an experiment gives a share of the traffic, while it does.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pokewatch.errors import BookError, NoChampionError, RegistryError
from pokewatch.registry_client import RegistryClient, download, ensure_registered_model
from pokewatch.settings import Home, RegistrySettings
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.copies import copy_of, move_book, open_copy, prune, remove
from pokewatch.valuation.book.layout import is_digest
from pokewatch.wording import pipeline_command

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
CANARY = "canary"  # alias, and the state with the plan of the traffic
BOOK = "book"
DIGEST = "digest"  # tag of a run and of its version: the digest of the price book
DEPLOYED_AT = "deployed_at"  # tag of a version: when it last became champion
REFUSED = "refused"  # tag of a version: why its deploy was undone
MARKET = "market"  # tag of a version: the id of the market of its prices
LAST_DAY = "last_day"  # tag of a version: the last day of its prices
BOOK_REMOVED = "book_removed"  # tag of a version: when its book was removed
NOT_EVALUATED = "not_evaluated"  # tag of a version: that it was registered without evaluation
_MAX_VERSIONS = 200
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered version: the digest of its price book, and the version of the data behind it."""

    version: str
    run_id: str
    digest: str
    data_version: str
    tags: Mapping[str, str]


class Registry:
    """The registry at `settings.tracking_uri()`. Every failure of MLflow is a RegistryError."""

    def __init__(self, settings: RegistrySettings | None = None) -> None:
        self._settings = settings or RegistrySettings.read()
        self.name = self._settings.registered_model()
        self.market = self._settings.market  # "" for the only one of a home
        self._mlflow = RegistryClient(self._settings)

    @property
    def books(self) -> Path:
        """The folder of the copies of its books on this machine."""
        return Home.read().books / self.market

    @property
    def branch(self) -> str:
        """The branch whose aliases and state are used; "" in production."""
        return self._settings.branch

    def branch_name(self, name: str) -> str:
        """Return `name` with the branch appended; unchanged in production."""
        return f"{name}--{self.branch.replace('.', '-')}" if self.branch else name

    @contextmanager
    def client(self, failure: str) -> Iterator[Any]:
        """Yield the MLflow client; its errors become a RegistryError that begins with `failure`."""
        with self._mlflow.request(failure) as client:
            yield client

    def log_run(
        self,
        book: Path | None,
        *,
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        documents: Mapping[str, Any] | None = None,
    ) -> str:
        """Log a run with the folder `book`, if any, and JSON `documents`. Return its run id."""
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        with self.client("the run cannot be logged") as client:
            run = client.create_run(self._mlflow.experiment(client), tags=dict(tags))
            run_id = str(run.info.run_id)
            try:
                client.log_batch(
                    run_id,
                    metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
                    params=[Param(name, str(value)) for name, value in parameters.items()],
                )
                if book is not None:
                    client.log_artifacts(run_id, str(book), BOOK)
                for name, document in (documents or {}).items():
                    client.log_dict(run_id, document, name)
            except BaseException:
                client.set_terminated(run_id, "FAILED")
                raise
            client.set_terminated(run_id)
            return run_id

    def register(self, run_id: str, digest: str) -> RegisteredModel:
        """Register the run's book as a new version, with the tags of the run."""
        if not is_digest(digest):
            raise RegistryError(
                f"run {run_id} cannot be registered: {digest[:80]!r} is not 64 hexadecimal digits"
            )
        with self.client(f"run {run_id} cannot be registered") as client:
            run = client.get_run(run_id)
            ensure_registered_model(client, self.name)
            given = run.data.tags
            tags = {name: given[name] for name in given if not name.startswith("mlflow.")}
            tags[DIGEST] = digest
            source = run.info.artifact_uri
            return _registered(client.create_model_version(self.name, source, run_id, tags=tags))

    def resolve(self, alias: str = CHAMPION) -> RegisteredModel:
        """Return the version behind an alias. Raise NoChampionError where there is none."""
        if self._mlflow.is_missing():
            raise NoChampionError(_no_version(alias, self.branch, self.market))
        name = self.branch_name(alias)
        if stored := self._mlflow.stored_alias(name):
            return _registered(stored)
        with self.client(f"alias {alias!r} cannot be resolved") as client:
            from mlflow.exceptions import MlflowException

            try:
                return _registered(client.get_model_version_by_alias(self.name, name))
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    raise NoChampionError(_no_version(alias, self.branch, self.market)) from None
                raise

    def stored(self, alias: str, state: str) -> tuple[RegisteredModel, str] | None:
        """Return the version behind an alias and a state if both are on this machine, else None.

        MLflow, which takes seconds and 90 MB to import, is not used.
        """
        stored = self._mlflow.stored_alias(self.branch_name(alias))
        text = self._mlflow.stored_model_tag(self.branch_name(state))
        return (_registered(stored), text) if stored and text is not None else None

    def find(self, alias: str = CHAMPION) -> RegisteredModel | None:
        """Return the version an alias points to, or None. Raise RegistryError."""
        try:
            return self.resolve(alias)
        except NoChampionError:
            return None

    def markets(self, alias: str = CHAMPION) -> list[str]:
        """Return the markets that have a version of an alias, "" for one that is not named."""
        names = self._mlflow.models_with(self.branch_name(alias))
        found = map(self._settings.market_of, names)
        return [market for market in found if market is not None]

    def version(self, version: str) -> RegisteredModel:
        """Return one registered version. Raise RegistryError where it does not exist."""
        with self.client(f"model version {version!r} cannot be found") as client:
            return _registered(client.get_model_version(self.name, version))

    def versions(self, where: str = "") -> list[RegisteredModel]:
        """Return the newest versions, at most 200, newest first; `where` adds an MLflow filter."""
        query = f"name='{self.name}'" + (f" and {where}" if where else "")
        with self.client("the model versions cannot be listed") as client:
            found = client.search_model_versions(query, _MAX_VERSIONS, ["version_number DESC"])
            return [_registered(version) for version in found]

    def log_metrics(self, model: RegisteredModel, metrics: Mapping[str, float], step: int) -> None:
        """Add metrics to the run of a version, at `step`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        logged = [Metric(name, value, now, step) for name, value in metrics.items()]
        with self.client(f"the metrics of version {model.version} cannot be logged") as client:
            client.log_batch(model.run_id, metrics=logged)

    def log_document(self, model: RegisteredModel, name: str, document: Mapping[str, Any]) -> None:
        """Add a JSON document to the artifacts of a version's run."""
        with self.client(f"{name} of model version {model.version} cannot be logged") as client:
            client.log_dict(model.run_id, document, name)

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias to a version, in place of any other."""
        with self.client(f"alias {alias!r} cannot be moved to version {version}") as client:
            client.set_registered_model_alias(self.name, self.branch_name(alias), version)

    def delete_alias(self, alias: str) -> None:
        """Delete an alias."""
        with self.client(f"alias {alias!r} cannot be removed") as client:
            client.delete_registered_model_alias(self.name, self.branch_name(alias))

    def set_tag(self, version: str, name: str, value: str) -> None:
        """Set a tag of a registered version."""
        with self.client(f"tag {name!r} of model version {version} cannot be set") as client:
            client.set_model_version_tag(self.name, version, name, value)

    def set_state(self, name: str, value: str) -> None:
        """Store a text under a name, as a tag of the registered model."""
        with self.client(f"the state {name!r} cannot be written") as client:
            ensure_registered_model(client, self.name)
            client.set_registered_model_tag(self.name, self.branch_name(name), value)

    def get_state(self, name: str) -> str:
        """Return the text stored under a name; "" where there is none."""
        return self._mlflow.model_tag(self.branch_name(name))

    def download_book(self, model: RegisteredModel) -> Path:
        """Return the local folder of the version's book, downloaded if missing, not verified.

        Only the POKEWATCH_BOOKS_KEPT most recently used books stay on this machine.
        """
        folder = copy_of(self.books, model.digest)
        if folder.is_symlink():
            remove(folder)
        try:
            os.utime(folder)
        except FileNotFoundError:
            self._download(model, folder)
            prune(folder.parent, self._settings.books_kept, folder)
        except OSError:  # not ours, or on a read-only disk: it can be read
            pass
        return folder

    def open_book(self, model: RegisteredModel) -> PriceBook:
        """Return the version's book, verified. Raise BookError or RegistryError.

        A damaged copy is removed and downloaded again, once.
        """
        try:
            return open_copy(self.download_book(model), model.digest)
        except BookError:
            remove(copy_of(self.books, model.digest))
            return open_copy(self.download_book(model), model.digest)

    def document(self, model: RegisteredModel, name: str) -> Any:
        """Return a JSON document from the artifacts of a version's run."""
        with (
            self.client(f"{name} of model version {model.version} cannot be read") as client,
            tempfile.TemporaryDirectory() as scratch,
        ):
            return json.loads(download(client, model.run_id, name, scratch).read_text())

    def _download(self, model: RegisteredModel, folder: Path) -> None:
        with self.client(f"the book of model version {model.version} cannot be fetched") as client:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch:
                move_book(download(client, model.run_id, BOOK, scratch), folder)


def change_key(market: str) -> str:
    """Return the state key of the day on which a market last changed."""
    return f"market_changed.{market}"


def _registered(version: Any) -> RegisteredModel:
    tags, model = dict(version.tags), f"model version {version.version}"
    missing = [name for name in (DIGEST, "data_version") if name not in tags]
    if missing:
        raise RegistryError(f"{model} has no tag {missing[0]!r}: PokeWatch did not register it")
    digest, run_id = tags[DIGEST], str(version.run_id)
    if not is_digest(digest):
        raise RegistryError(
            f"{model} has the tag digest {digest[:80]!r}, which is not 64 hexadecimal digits"
        )
    if not _RUN_ID.fullmatch(run_id):
        raise RegistryError(
            f"{model} has the run id {run_id[:80]!r}, which is not 32 hexadecimal digits"
        )
    return RegisteredModel(str(version.version), run_id, digest, tags["data_version"], tags)


def _no_version(alias: str, branch: str, market: str) -> str:
    of = f" of branch {branch}" if branch else ""
    if alias == PREVIOUS:
        return f"there is no previous champion{of}"
    if alias == CANARY:
        return f"no deploy and no experiment{of} gives a challenger traffic"
    return f"no model is {alias}{of} yet: run the pipeline first ({pipeline_command(market)})"
