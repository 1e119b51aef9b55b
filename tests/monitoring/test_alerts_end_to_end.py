"""From a fault to the webhook: Prometheus, Alertmanager, MLServer and gateway, 60 times faster."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml

from pokewatch.valuation.book import write_book
from tests.gateway.conftest import Gateway, gateway_at
from tests.monitoring.listener import Listener, listening
from tests.monitoring.prometheus import Prometheus, alertmanager, prometheus, shortened, targets
from tests.monitoring.rulebook import MONITORING
from tests.polling import eventually
from tests.serving.books import FACTS, catalog, make_book, rows
from tests.serving.server import Server, models_folder, point_at, running

pytestmark = pytest.mark.slow

FACTOR = 60


def _routes(listener: Listener) -> dict[str, Any]:
    """The committed routes and inhibitions, without waits, and the listener as every receiver."""
    config = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    hook = {"url": f"http://127.0.0.1:{listener.server_port}/", "send_resolved": True}
    receivers = [
        {"name": receiver["name"], "webhook_configs": [hook]} for receiver in config["receivers"]
    ]
    return {
        "route": config["route"],
        "inhibit_rules": config["inhibit_rules"],
        "receivers": receivers,
    }


def _heard(listener: Listener) -> list[tuple[str, str, str]]:
    """(receiver, status, alert) of every message, in order."""
    messages: list[Any] = list(listener.heard)
    return [
        (each["receiver"], each["status"], each["groupLabels"]["alertname"]) for each in messages
    ]


def _open(listener: Listener) -> set[str]:
    """The alerts that were notified as firing, and not yet as resolved."""
    last = {name: status for _, status, name in _heard(listener)}
    return {name for name, status in last.items() if status == "firing"}


@contextmanager
def _watched(
    folder: Path, gateway: Gateway, *servers: Server
) -> Iterator[tuple[Prometheus, Listener]]:
    folder.mkdir()
    with (
        listening() as listener,
        alertmanager(folder, _routes(listener)) as address,
        prometheus(folder, targets(gateway, *servers), shortened(folder, FACTOR), address) as found,
    ):
        yield found, listener


@contextmanager
def _load(gateway: Gateway) -> Iterator[list[int]]:
    """Send requests continuously; the statuses of the answers."""
    statuses: list[int] = []
    enough = threading.Event()

    def ask() -> None:
        with httpx.Client(headers={"X-API-Key": gateway.key.key}, timeout=10) as client:
            while not enough.wait(0.02):
                statuses.append(
                    client.post(f"{gateway.url}/fair_price", json={"card_id": "card_4"}).status_code
                )

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        enough.set()
        thread.join()


def _models(
    folder: Path, version: str, make: Callable[[Path], str] = make_book
) -> tuple[Path, tuple[int, int, int]]:
    """A models folder that serves a book of its own as `version`."""
    ports = models_folder(folder / "models")
    _publish(folder, version, make)
    return folder / "models", ports


def _publish(folder: Path, version: str, make: Callable[[Path], str]) -> None:
    book = folder / f"book-{version}"
    point_at(folder / "models", book, make(book), version)


def _fresh_book(folder: Path) -> str:
    """A book made now, whose newest day was yesterday."""
    now = datetime.now(UTC)
    old = rows(40)
    dates = np.datetime64((now - timedelta(days=1)).date(), "D") - np.arange(len(old.dates))[::-1]
    return write_book(
        folder, catalog(40), replace(old, dates=dates), replace(FACTS, created_at=now)
    )


def test_mlserver_is_killed_under_load_and_comes_back(tmp_path: Path) -> None:
    models, ports = _models(tmp_path, "7", _fresh_book)
    environment = {"POKEWATCH_HOME": str(tmp_path / "home")}
    follow = {"MLServerDown", "BreakerOpen", "AvailabilityBurnFast"}
    with ExitStack() as stack:
        first = stack.enter_context(running(models, ports, environment))
        gateway = stack.enter_context(
            gateway_at(first.url, tmp_path, answer_cache=False, stale_seconds=0)
        )
        found, listener = stack.enter_context(_watched(tmp_path / "watch", gateway, first))
        statuses = stack.enter_context(_load(gateway))
        eventually(lambda: found.query("pokewatch:gateway_errors:ratio_rate1h == 0"), bool)
        assert found.firing() == set()
        assert _heard(listener) == []

        first.process.kill()
        eventually(found.firing, follow.__le__)
        eventually(
            lambda: _heard(listener), lambda heard: ("pages", "firing", "MLServerDown") in heard
        )
        message: Any = next(
            each for each in listener.heard if each["groupLabels"]["alertname"] == "MLServerDown"
        )
        assert message["commonAnnotations"]["summary"] == "No MLServer can be reached"
        assert message["commonAnnotations"]["runbook_url"] == "docs/runbook.md#mlserverdown"
        assert {200, 503} <= set(statuses)

        stack.enter_context(running(models, ports, environment))
        eventually(
            lambda: _heard(listener), lambda heard: ("pages", "resolved", "MLServerDown") in heard
        )
        # The short windows of these alerts are 30 seconds and six minutes: the first has passed.
        eventually(found.firing, lambda firing: firing <= {"AvailabilityBurnSlow"}, seconds=90)
        eventually(lambda: _open(listener), lambda names: names <= {"AvailabilityBurnSlow"})


def test_old_data_and_two_models_side_by_side(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    environment = {"POKEWATCH_HOME": str(tmp_path / "home")}
    with ExitStack() as stack:
        served = [
            _models(folder, version) for folder, version in zip(folders, ("7", "8"), strict=True)
        ]
        servers = [
            stack.enter_context(running(models, ports, environment)) for models, ports in served
        ]
        gateway = stack.enter_context(gateway_at(servers[0].url, tmp_path))
        found, listener = stack.enter_context(_watched(tmp_path / "watch", gateway, *servers))
        wanted = {("pages", "firing", "StaleData"), ("tickets", "firing", "ReplicasDisagree")}
        eventually(lambda: set(_heard(listener)), wanted.__le__)
        stale: Any = next(
            each for each in listener.heard if each["groupLabels"]["alertname"] == "StaleData"
        )
        assert "the limit is 36 hours" in stale["commonAnnotations"]["description"]

        for folder, server in zip(folders, servers, strict=True):
            _publish(folder, "9", _fresh_book)
            assert (
                httpx.post(
                    f"{server.url}/v2/repository/models/fair-price/load", timeout=60
                ).status_code
                == 200
            )
        mended = {("pages", "resolved", "StaleData"), ("tickets", "resolved", "ReplicasDisagree")}
        eventually(lambda: set(_heard(listener)), mended.__le__)
        eventually(found.firing, lambda firing: firing == set())
