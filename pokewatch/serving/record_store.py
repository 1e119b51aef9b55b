"""Track records: a folder of this machine, and the copy in the registry.

The registry's copy is a document and a file for each month, artifacts of MLflow runs; the state of
the registered model says which document is the newest. Machines that share no disk with the flows
restore it from there: `python -m pokewatch.serving.record_store SOURCE MARKET` does, in a process
of its own (see `registry_process`).
"""

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pokewatch.atomic_file import atomic_file
from pokewatch.errors import TrackRecordError
from pokewatch.registry import Registry
from pokewatch.registry_client import download
from pokewatch.serving.registry_process import answering
from pokewatch.settings import Home
from pokewatch.valuation.track_record import (
    MonthFile,
    TrackRecord,
    read_record,
    verify,
    write_record,
)

_ARTIFACTS = "track_record"


def record_folder(market: str) -> Path:
    """Return the folder of the track record of a market."""
    name = re.sub(r"[^\w-]", "_", market, flags=re.ASCII) or "unknown"
    return Home.read().monitoring / "track-record" / name


class RecordStore:
    """The track record of a market in `folder` and in the registry."""

    def __init__(self, registry: Registry, source: str, market: str) -> None:
        self.folder = record_folder(market)
        self._registry = registry
        self._source = source
        self._state = f"track_record.{market}"

    def restore(self) -> TrackRecord:
        """Return the newest record, with its files in the folder; an empty one if there is none.

        Raise RegistryError, or TrackRecordError for a damaged copy.
        """
        state = self._registry.get_state(self._state)
        if not state:
            return TrackRecord(self._source)
        newest: dict[str, str] = json.loads(state)
        local = self._local()
        if local is None or local.digest != newest["sha256"]:
            content = self._fetched(newest["run_id"], newest["name"])
            if hashlib.sha256(content).hexdigest() != newest["sha256"]:
                raise TrackRecordError(f"the document {newest['name']} in the registry is damaged")
            local = TrackRecord.parse(content)
        self._restore_files(local.files)
        write_record(self.folder, local)
        return local

    def publish(self, record: TrackRecord, run_id: str) -> TrackRecord:
        """Store a record whose files are in the folder: new files and the document in run `run_id`.

        What is read is switched last, here and in the registry, so that an interrupted call leaves
        the former record. Return the record as stored.
        """
        files = tuple(self._stored(file, run_id) for file in record.files)
        stored = replace(record, files=files)
        digest = stored.digest
        name = f"document-{digest[:16]}.json"
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name
            path.write_bytes(stored.to_bytes())
            self._log(path, run_id)
        state = {"run_id": run_id, "name": f"{_ARTIFACTS}/{name}", "sha256": digest}
        self._registry.set_state(self._state, json.dumps(state))
        write_record(self.folder, stored)
        return stored

    def _local(self) -> TrackRecord | None:
        try:
            return read_record(self.folder)
        except TrackRecordError:
            return None

    def _stored(self, file: MonthFile, run_id: str) -> MonthFile:
        if file.run_id:
            return file
        self._log(self.folder / file.name, run_id)
        return replace(file, run_id=run_id)

    def _restore_files(self, files: Sequence[MonthFile]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            path = self.folder / file.name
            try:
                verify(path, file)
            except TrackRecordError:
                content = self._fetched(file.run_id, f"{_ARTIFACTS}/{file.name}")
                with atomic_file(path) as restored:
                    restored.write(content)
                verify(path, file)

    def _log(self, path: Path, run_id: str) -> None:
        with self._registry.client(f"{path.name} cannot be logged") as client:
            client.log_artifact(run_id, str(path), _ARTIFACTS)

    def _fetched(self, run_id: str, name: str) -> bytes:
        with (
            self._registry.client(f"{name} cannot be fetched") as client,
            tempfile.TemporaryDirectory() as scratch,
        ):
            return download(client, run_id, name, scratch).read_bytes()


def main(source: str, market: str) -> None:
    """Restore the record of a source and its market."""
    with answering():
        RecordStore(Registry(), source, market).restore()


if __name__ == "__main__":
    main(*sys.argv[1:])
