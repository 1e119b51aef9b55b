"""Callers of a gateway during a canary, in front of a real MLServer with two models."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from pokewatch.gateway.api.markets.assignment import position
from pokewatch.gateway.api.markets.canary_checks import DECIDED
from tests.gateway.challengers import Challenger, challenger
from tests.gateway.conftest import Gateway, gateway_at
from tests.polling import eventually
from tests.serving.faulty_challenger import FAILING, SLOW
from tests.serving.server import Server

pytestmark = pytest.mark.integration

CALLERS = 64
# A busy machine is not the challenger's fault.
PATIENT: dict[str, Any] = {
    "canary_seconds": 20,
    "connect_seconds": 10,
    "upstream_seconds": 20,
    "deadline_seconds": 30,
}


@dataclass
class Traffic:
    """Requests of callers with keys of their own, one after another, each of another price."""

    gateway: Gateway
    keys: list[str]
    versions: dict[str, list[str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, each: int) -> int:
        """Send as many requests of each caller. Return how many these are."""
        asyncio.run(self._run(each))
        return each * len(self.keys)

    async def _run(self, each: int) -> None:
        await asyncio.gather(*(self._caller(key, each) for key in self.keys))

    async def _caller(self, key: str, each: int) -> None:
        address = urlsplit(self.gateway.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        head = (
            f"POST /fair_price HTTP/1.1\r\nHost: {address.netloc}\r\nX-API-Key: {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        seen = self.versions.setdefault(key, [])
        for _ in range(each):
            number = next(self._numbers)
            card = 2 + number % 30
            price = (card + 1) * (1 + number / 1e6)
            body = json.dumps({"card_id": f"card_{card}", "market_price": price})
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            fields = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(fields.partition(b"content-length: ")[2].split(b"\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
            self.statuses[int(fields.split()[1])] += 1
            seen.append(answer.get("model_version") or answer["detail"])
        writer.close()


@pytest.fixture(scope="module")
def gateway(mlserver: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway_at(mlserver.url, tmp_path_factory.mktemp("canary"), **PATIENT) as found:
        yield found


@pytest.fixture(scope="module")
def keys(gateway: Gateway) -> list[str]:
    """Keys that the gateway has read: it limits the requests with keys that it has not."""
    new = [
        gateway.store.create(f"caller {i}", scopes=("read",), rate="none") for i in range(CALLERS)
    ]
    cache = gateway.app.assembly.key_cache
    eventually(lambda: cache.by_id(new[-1].id), lambda key: key is not None)
    return [made.key for made in new]


def is_ready(gateway: Gateway) -> bool:
    running = gateway.app.assembly.markets.first.canary.running
    return running is not None and running.is_ready()


def share_of(gateway: Gateway) -> float:
    running = gateway.app.assembly.markets.first.canary.running
    return float(running.offer.share) if running and running.is_ready() else 0.0


def offered(gateway: Gateway, found: Challenger, share: float, revision: int = 1) -> None:
    found.offer(share, revision)
    eventually(lambda: share_of(gateway), lambda now: now == share, every=0.02)


def test_each_caller_sees_one_version_and_no_request_fails(
    mlserver: Server, gateway: Gateway, keys: list[str], tmp_path: Path
) -> None:
    """Callers that the challenger answers stay with it while its share grows."""
    with challenger(mlserver, tmp_path) as found:
        before = Traffic(gateway, keys)
        before.run(1)
        assert set(itertools.chain(*before.versions.values())) == {"7"}
        of_challenger: set[str] = set()
        for step, share in enumerate((0.1, 0.5, 1.0), start=1):
            offered(gateway, found, share, step)
            traffic = Traffic(gateway, keys)
            sent = traffic.run(5)
            assert traffic.statuses == {200: sent}
            assert all(len(set(seen)) <= 1 for seen in traffic.versions.values())
            new = {key for key, seen in traffic.versions.items() if seen[:1] == ["8"]}
            assert of_challenger <= new
            assert abs(len(new) / CALLERS - share) < 0.2
            of_challenger = new
    eventually(lambda: share_of(gateway), lambda share: share == 0)
    after = Traffic(gateway, keys)
    after.run(1)
    assert set(itertools.chain(*after.versions.values())) == {"7"}


@pytest.mark.parametrize(
    ("version", "scale", "share", "check"),
    [
        ("8", 1.5, 0.1, "signals"),
        (SLOW, 1.0, 0.1, "latency"),
        pytest.param(SLOW, 1.0, 0.5, "latency", marks=pytest.mark.slow),  # 32 requests in a call
        (FAILING, 1.0, 0.1, "errors"),
    ],
)
def test_a_bad_challenger_is_out_after_its_first_200_requests(
    mlserver: Server,
    gateway: Gateway,
    keys: list[str],
    tmp_path: Path,
    version: str,
    scale: float,
    share: float,
    check: str,
) -> None:
    """Those are all that it touches, with those in flight then."""
    with challenger(mlserver, tmp_path, version, scale=scale) as found:
        offered(gateway, found, share)
        traffic = Traffic(gateway, keys)
        before, sent = requests_of(gateway, "challenger"), 0
        while share_of(gateway):
            sent += traffic.run(3)
            assert sent < 5_000, found.status()
        touched, part = requests_of(gateway, "challenger") - before, included(found, keys, share)
        assert touched <= (part + 0.01) * sent
        assert touched <= DECIDED + part * CALLERS
        ended = eventually(lambda: found.status()["ended"], bool)
        assert ended.startswith(f"{check}: ")
        assert found.status()["share"] == 0
        traffic.run(1)
        assert set(traffic.statuses) == {200}
        assert {seen[-1] for seen in traffic.versions.values()} == {"7"}


@pytest.mark.parametrize(
    ("version", "scale", "check"), [("8", 1.5, "signals"), (FAILING, 1.0, "errors")]
)
def test_a_mirror_finds_a_bad_challenger_that_answers_nobody(
    mlserver: Server, keys: list[str], tmp_path: Path, version: str, scale: float, check: str
) -> None:
    with (
        challenger(mlserver, tmp_path, version, scale=scale) as found,
        gateway_at(mlserver.url, tmp_path, mirror_share=1.0, **PATIENT) as gateway,
    ):
        found.offer(0.0)
        eventually(lambda: is_ready(gateway), bool, every=0.02)
        own = [gateway.store.create(f"caller {i}", rate="none").key for i in range(4)]
        traffic = Traffic(gateway, own)
        while is_ready(gateway):
            assert traffic.run(10)
            assert len(traffic.versions[own[0]]) < 1_000, found.status()
        assert eventually(lambda: found.status()["ended"], bool).startswith(f"{check}: ")
        assert set(traffic.statuses) == {200}
        assert {version for seen in traffic.versions.values() for version in seen} == {"7"}
        assert requests_of(gateway, "challenger") == 0


def forget(gateway: Gateway) -> None:
    """Let the gateway read for long enough that there is no canary."""
    canary = gateway.app.assembly.markets.first.canary

    async def follow() -> None:
        canary.running.offered_at = -1e9
        await canary.follow(None)
        assert canary.running is None

    loop = gateway.app.assembly._tasks[0].get_loop()
    asyncio.run_coroutine_threadsafe(follow(), loop).result(10)


def of_challenger(gateway: Gateway, keys: list[str]) -> tuple[set[str], set[str]]:
    """Return the callers that the challenger answers, and with which versions."""
    traffic = Traffic(gateway, keys)
    assert traffic.run(2) == traffic.statuses[200]
    found = {key: set(seen) for key, seen in traffic.versions.items() if "7" not in seen}
    return set(found), set().union(*found.values())


def test_callers_of_an_experiment_stay_from_version_to_version(
    mlserver: Server, tmp_path: Path
) -> None:
    """A deploy comes between, the gateway restarts, and the model server forgets it for a while."""
    (tmp_path / "next").mkdir()
    with gateway_at(mlserver.url, tmp_path, **PATIENT) as gateway:
        keys = [gateway.store.create(f"caller {i}", rate="none").key for i in range(24)]
        with challenger(mlserver, tmp_path, experiment="experiment-1-1") as found:
            offered(gateway, found, 0.5)
            first, versions = of_challenger(gateway, keys)
            assert (0 < len(first) < len(keys), versions) == (True, {"8"})
        with challenger(mlserver, tmp_path / "next", "9") as deploy:
            offered(gateway, deploy, 0.4)
            assert of_challenger(gateway, keys)[0] != first
    with (
        gateway_at(mlserver.url, tmp_path, **PATIENT) as gateway,
        challenger(mlserver, tmp_path / "next", "10", experiment="experiment-1-1") as found,
    ):
        offered(gateway, found, 0.5)
        assert of_challenger(gateway, keys) == (first, {"10"})
        forget(gateway)
        eventually(lambda: share_of(gateway), lambda share: share == 0.5)
        assert of_challenger(gateway, keys) == (first, {"10"})


def test_ready_and_the_status_page_show_what_runs(
    mlserver: Server, gateway: Gateway, tmp_path: Path
) -> None:
    with challenger(
        mlserver, tmp_path, experiment="experiment-1-1", since="2026-01-06T08:30:00+00:00"
    ) as found:
        offered(gateway, found, 0.25)
        (market,) = gateway.get("/ready", key="").json()["markets"]
        checks = market["canary"].pop("checks")
        assert market["canary"] == {
            "experiment": "experiment-1-1",
            "share": 0.25,
            "since": "2026-01-06T08:30:00+00:00",
            "champion": "7",
            "challenger": "8",
        }
        assert [each["check"] for each in checks] == ["errors", "latency", "signals"]
        assert checks[2]["found"].endswith("cards differ, limit 20%")
        page = gateway.get("/status", headers={"Accept": "text/html"}).text
        for said in (
            "Experiment: a challenger answers",
            "version 8",
            "25%",
            "2026-01-06 08:30 UTC",
        ):
            assert said in page
    eventually(lambda: share_of(gateway), lambda share: share == 0)
    assert gateway.get("/ready", key="").json()["markets"][0]["canary"] is None
    assert (
        "a challenger answers" not in gateway.get("/status", headers={"Accept": "text/html"}).text
    )


CARD = "/cards/card_4"


def test_all_answers_of_a_caller_are_of_one_version(
    mlserver: Server, gateway: Gateway, tmp_path: Path
) -> None:
    """The header chooses it; the entity tag of each version is its own."""
    with challenger(mlserver, tmp_path) as found:
        offered(gateway, found, 0.5)
        tags = []
        for variant, version in (("champion", "7"), ("challenger", "8")):
            headers = {"X-PokeWatch-Variant": variant}
            row = {"name": "card_id", "shape": [1], "datatype": "BYTES", "data": ["card_4"]}
            tensors, batch = {"inputs": [row]}, {"cards": [{"card_id": "card_4"}] * 2}
            answers = [
                gateway.post("/fair_price", {"card_id": "card_4"}, headers=headers).json(),
                *gateway.post("/fair_price/batch", batch, headers=headers).json()["predictions"],
                gateway.get("/movers", headers=headers).json(),
                gateway.get("/cards", headers=headers).json(),
                gateway.post("/v2/models/pokewatch/infer", tensors, headers=headers).json(),
            ]
            assert {answer["model_version"] for answer in answers} == {version}
            page = gateway.get(CARD, headers=headers | {"Accept": "text/html"}).text
            assert f", version {version} · data" in page
            card = gateway.get(CARD, headers=headers)
            assert card.json()["model_version"] == version
            tags.append(card.headers["etag"])
            again = gateway.get(CARD, headers=headers | {"If-None-Match": tags[0]})
            assert again.status_code == (304 if variant == "champion" else 200)
        assert len(set(tags)) == 2
        refused = gateway.get(CARD, headers={"X-PokeWatch-Variant": "new"})
        assert refused.status_code == 422


def test_what_the_challenger_cannot_read_is_read_from_the_champion(
    mlserver: Server, gateway: Gateway, tmp_path: Path
) -> None:
    with challenger(mlserver, tmp_path) as found:
        offered(gateway, found, 1.0)
        running = gateway.app.assembly.markets.first.canary.running
        running.challenger.reader._path = "/catalog/nowhere"
        answer = gateway.get("/cards/card_5")
        assert (answer.status_code, answer.json()["model_version"]) == (200, "7")
        assert gateway.get("/cards/no_such_card").status_code == 404


def included(found: Challenger, keys: list[str], share: float) -> float:
    """Return the share of these callers that the challenger answers."""
    positions = [position(key.split("_")[1], found.id) for key in keys]
    return sum(position < share for position in positions) / len(keys)


def requests_of(gateway: Gateway, variant: str) -> int:
    return int(gateway.app.assembly.metrics.canary.requests.of("")[variant])


def test_events_have_the_arm_that_answered(
    mlserver: Server, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_EVENTS", "true")
    with (
        challenger(mlserver, tmp_path) as found,
        gateway_at(mlserver.url, tmp_path, **PATIENT) as gateway,
    ):
        # Their ids are random: with so many, neither arm is without a caller.
        keys = [gateway.store.create(f"caller {i}", rate="none").key for i in range(24)]
        Traffic(gateway, keys).run(1)
        offered(gateway, found, 0.5)
        Traffic(gateway, keys).run(2)
        pinned = {"X-PokeWatch-Variant": "challenger"}
        assert gateway.post("/fair_price", {"card_id": "card_1"}, headers=pinned).status_code == 200
    rows = [row for path in home.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    arms = Counter((row["experiment"], row["arm"], row["model_version"]) for row in rows)
    assert arms.pop(("", "champion", "7")) == 24
    assert arms.pop(("", "champion", "8")) == 1  # one who has chosen is in no arm
    assert set(arms) == {(found.id, "champion", "7"), (found.id, "challenger", "8")}
    assert sum(arms.values()) == 48
