"""Challengers beside the champion of a running MLServer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from pokewatch.contract import FAIR_PRICE_CHALLENGER
from tests.serving.books import make_book
from tests.serving.server import Server

IMPLEMENTATION = "tests.serving.faulty_challenger.FaultyChallenger"
_NUMBERS = count(1)


@dataclass
class Challenger:
    """The canary of a challenger in a running MLServer."""

    server: Server
    folder: Path
    version: str
    id: str
    digest: str
    experiment: str = ""
    since: str = ""

    def offer(self, share: float, revision: int = 1) -> None:
        """Have the challenger loaded with a share of the callers."""
        canary = {
            "id": self.id,
            "share": share,
            "revision": revision,
            "experiment": self.experiment,
            "since": self.since,
        }
        extra = {"digest": self.digest, "model_version": self.version, "canary": canary}
        settings = {
            "name": FAIR_PRICE_CHALLENGER,
            "implementation": IMPLEMENTATION,
            "parameters": {"uri": str(self.folder / "book"), "extra": extra},
        }
        model = self.server.folder / FAIR_PRICE_CHALLENGER
        model.mkdir(exist_ok=True)
        written = model / "model-settings.new"
        written.write_text(json.dumps(settings))
        written.replace(model / "model-settings.json")
        load = f"{self.server.url}/v2/repository/models/{FAIR_PRICE_CHALLENGER}/load"
        httpx.post(load, timeout=30).raise_for_status()

    def status(self) -> dict[str, Any]:
        """Return what gateways read of the canary."""
        found = httpx.post(f"{self.server.url}/catalog/status", json={}, timeout=30).json()
        canary: dict[str, Any] = found["canary"]
        return canary

    def end(self, reason: str = "the test has ended") -> httpx.Response:
        path = f"/v2/models/{FAIR_PRICE_CHALLENGER}/catalog/canary/end"
        body = {"id": self.id, "reason": reason}
        return httpx.post(f"{self.server.url}{path}", json=body, timeout=30)


@contextmanager
def challenger(
    server: Server,
    folder: Path,
    version: str = "8",
    *,
    scale: float = 1.0,
    experiment: str = "",
    since: str = "",
) -> Iterator[Challenger]:
    """Yield a challenger whose fair prices are `scale` times the market prices."""
    digest = make_book(folder / "book", scale=scale, unquoted=[7])
    canary = f"canary-{next(_NUMBERS)}"
    found = Challenger(server, folder, version, canary, digest, experiment, since)
    try:
        yield found
    finally:
        found.end()
