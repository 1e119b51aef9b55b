"""One process and two give the same answers: status, headers and bytes."""

import re
from collections import ChainMap, Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx
import pytest

from tests.in_process.generated_requests import Request, generated
from tests.in_process.processes import RunningGateway, gateway_process
from tests.serving.books import FACTS, make_book
from tests.serving.records import make_record
from tests.serving.server import models_folder, point_at, running

pytestmark = pytest.mark.integration

SEED, CLIENTS = 22, 4
# Of the transfer rather than the answer, or different from one request to the next.
_IGNORED = {"date", "connection", "transfer-encoding", "server-timing"}
_VOLATILE = re.compile(rb'"as_of":"[^"]*"|"id":"[0-9a-f]{8}-[0-9a-f-]{27}"')


class Answered(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, ...]]:
    """A gateway that holds the models, and one in front of an MLServer, on equal homes."""
    folder = tmp_path_factory.mktemp("both")
    digest = make_book(folder / "book", unquoted=[7], facts=FACTS)
    homes = [folder / name for name in ("one", "two")]
    for home in homes:
        make_record(home / "monitoring" / "track-record" / FACTS.market, range(40))
    models = folder / "models"
    ports = models_folder(models)
    point_at(models, folder / "book", digest, "7")
    with (
        running(models, ports, {"POKEWATCH_HOME": str(homes[1])}) as server,
        gateway_process(homes[0], "--in-process", POKEWATCH_MLSERVER_MODELS=str(models)) as one,
        gateway_process(homes[1], POKEWATCH_MLSERVER_URL=server.url) as two,
    ):
        yield one, two


def answers(gateway: RunningGateway, requests: Sequence[Request]) -> list[Answered]:
    def of_client(first: int) -> dict[int, Answered]:
        # Each thread has its own: a shared client may close a connection that another one takes.
        with httpx.Client(base_url=gateway.url, timeout=60) as client:
            numbers = range(first, len(requests), CLIENTS)
            return {
                number: answer(client, gateway.key, number, requests[number]) for number in numbers
            }

    with ThreadPoolExecutor(CLIENTS) as threads:
        found = ChainMap(*threads.map(of_client, range(CLIENTS)))
    return [found[number] for number in range(len(requests))]


def answer(client: httpx.Client, key: str, number: int, request: Request) -> Answered:
    own = {
        "X-API-Key": key,
        "X-Request-Id": f"request-{number}",
        "Accept-Encoding": "identity",  # the compressed length depends on the time within
    }
    reply = client.request(
        request.method,
        request.path,
        content=request.body,
        headers={**own, **dict(request.headers)},
    )
    headers = sorted(each for each in reply.headers.items() if each[0] not in _IGNORED)
    return Answered(reply.status_code, tuple(headers), _VOLATILE.sub(b"", reply.content))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_generated_requests_get_the_same_answers(
    both: tuple[RunningGateway, ...], count: int
) -> None:
    requests = generated(count, SEED)
    found, expected = (answers(each, requests) for each in both)
    different = [
        (request, one, other)
        for request, one, other in zip(requests, found, expected, strict=True)
        if one != other
    ]
    assert not different, f"{len(different)} differ, the first:\n{different[0]}"
    statuses = Counter(each.status for each in found)
    assert {200, 206, 404, 405, 415, 422} <= statuses.keys(), statuses
    assert statuses[200] > count / 3
    assert max(statuses) < 500, statuses
