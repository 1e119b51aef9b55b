"""The gateway against a bare route and a plain gateway: python -m tests.bench.gateway [--seconds 8]

Every server is a process on uvloop and httptools, without an access log; wrk requests distinct
cards. Compare ratios, since the load of the machine affects all servers alike. Exits with 1 if a
ratio misses its target.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pokewatch.contract import DECISION_OUTPUTS, FAIR_PRICE_OUTPUTS, TensorSpec
from pokewatch.gateway.auth.keys import KeyStore
from tests.bench.gateway_transports import transports
from tests.conftest import ROOT
from tests.serving.books import make_book
from tests.serving.server import Server, free_ports, models_folder, point_at, running

CARDS = 2_000
SCRIPT = Path(__file__).with_name("gateway.wrk.lua")
GATEWAY = (
    "from pokewatch.gateway.server import run; from pokewatch.settings import GatewaySettings; "
    "run(GatewaySettings.read())"
)
_QUIET = {"POKEWATCH_ACCESS_LOG": "0", "POKEWATCH_GATEWAY_METRICS_PORT": "0"}
FAIR_PRICE = '{"card_id":"card_%d"}'


def _outputs(tensors: Sequence[TensorSpec]) -> str:
    return json.dumps([{"name": tensor.name} for tensor in tensors])


# The model calls ask for all that an answer of the gateway needs.
INFER_PRICE = (
    '{"inputs":[{"name":"card_id","shape":[1],"datatype":"BYTES","data":["card_%d"]}],'
    f'"outputs":{_outputs(FAIR_PRICE_OUTPUTS)}}}'
)
INFER_SIGNAL = (
    '{"inputs":[{"name":"market_price","shape":[1],"datatype":"FP64","data":[%d.5]},'
    '{"name":"fair_price","shape":[1],"datatype":"FP64","data":[100.0]},'
    '{"name":"lower","shape":[1],"datatype":"FP64","data":[80.0]},'
    '{"name":"upper","shape":[1],"datatype":"FP64","data":[125.0]},'
    '{"name":"distribution","shape":[1,10],"datatype":"FP64",'
    '"data":[99.5,0.25,0.01,4.2,4.38,4.53,4.61,4.7,4.83,5.0]},'
    '{"name":"currency","shape":[1],"datatype":"BYTES","data":["USD"]},'
    '{"name":"status","shape":[1],"datatype":"BYTES","data":["ok"]}],'
    f'"outputs":{_outputs(DECISION_OUTPUTS)}}}'
)


@dataclass(frozen=True)
class Load:
    """Results of wrk: requests per second, latencies in milliseconds, errors."""

    rate: float
    p50: float
    p95: float
    p99: float
    errors: int

    def __str__(self) -> str:
        latencies = f"p50 {self.p50:7.2f} ms   p95 {self.p95:7.2f} ms   p99 {self.p99:7.2f} ms"
        return f"{self.rate:8.0f}/s   {latencies}   errors {self.errors}"


@dataclass(frozen=True)
class Target:
    """A figure and its bound."""

    name: str
    value: float
    bound: float
    at_most: bool = False

    def met(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "met   " if self.met() else "MISSED"
        return f"{verdict}  {self.name:58} {self.value:10.2f}   {sign} {self.bound:g}"


def report(targets: Sequence[Target]) -> int:
    """Print the targets and return the exit code: 1 if one was missed."""
    print(*targets, sep="\n")
    return 0 if all(target.met() for target in targets) else 1


def wrk(url: str, connections: int, seconds: int, key: str) -> Load:
    settings = {"WRK_BODY": FAIR_PRICE, "WRK_CARDS": str(CARDS), "WRK_KEY": key}
    return run_wrk(url, connections, seconds, SCRIPT, settings)


def run_wrk(
    url: str, connections: int, seconds: int, script: Path, settings: Mapping[str, str]
) -> Load:
    """Return the load that wrk sends by a `script`, whose environment has the `settings`."""
    if shutil.which("wrk") is None:
        sys.exit("wrk, which sends the load of this benchmark, is not installed")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    found = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    return Load(**json.loads(found.stdout.strip().splitlines()[-1]))


@contextmanager
def process(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[str]:
    """Start a server by `command` and yield its URL once it responds."""
    started = subprocess.Popen(
        [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait(30)


@retry(
    stop=stop_after_delay(60),
    wait=wait_fixed(0.1),
    retry=retry_if_exception_type(httpx.TransportError),
    reraise=True,
)
def _wait_for(url: str) -> None:
    httpx.get(f"{url}/health")


class BenchServers:
    """The servers of one run."""

    def __init__(self, folder: Path, stack: ExitStack, server: Server) -> None:
        self.mlserver = server
        self.home = home = folder / "home"
        self.key = KeyStore(home / "keys.sqlite").create("bench", rate="10000000/minute").key
        self._stack = stack
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "POKEWATCH_HOME": str(home),
            "POKEWATCH_MLSERVER_URL": server.url,
            "MLSERVER_URL": server.url,
        }

    def start_rival(self, name: str) -> str:
        [port] = free_ports(1)
        options = [
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--no-access-log",
            "--log-level",
            "warning",
            "--port",
            str(port),
        ]
        return self._stack.enter_context(
            process(
                ["-m", "uvicorn", *options, f"tests.bench.gateway_rivals:{name}"],
                port,
                self._environment,
            )
        )

    def start_gateway(self, **settings: str) -> str:
        [port] = free_ports(1)
        environment = {
            **self._environment,
            "POKEWATCH_GATEWAY_PORT": str(port),
            **_QUIET,
            **settings,
        }
        return self._stack.enter_context(process(["-c", GATEWAY], port, environment))


@contextmanager
def bench_servers() -> Iterator[BenchServers]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        digest = make_book(folder / "book", count=CARDS)
        ports = models_folder(folder / "models")
        point_at(folder / "models", folder / "book", digest, "1")
        server = stack.enter_context(
            running(folder / "models", ports, {"POKEWATCH_HOME": str(folder / "home")})
        )
        yield BenchServers(folder, stack, server)


def batch_rate(url: str, key: str, seconds: int, cards: Sequence[Mapping[str, str]]) -> float:
    """Return the cards per second in batches of `cards`, two batches at a time."""

    async def scenario() -> float:
        body = json.dumps({"cards": cards})
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        done = 0
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            started = perf_counter()

            async def send() -> None:
                nonlocal done
                while perf_counter() - started < seconds:
                    response = await client.post("/fair_price/batch", content=body)
                    assert response.status_code == 200
                    done += len(cards)

            await asyncio.gather(send(), send())
            return done / (perf_counter() - started)

    return asyncio.run(scenario())


class Rounds:
    """Several rounds of the same load on each server in turn.

    Servers are compared by their ratio in each round, since the speed of the machine may double
    from one minute to the next.
    """

    def __init__(self, urls: Mapping[str, str], connections: int, seconds: int, key: str) -> None:
        self._rounds = [
            {name: wrk(url, connections, seconds, key) for name, url in urls.items()}
            for _ in range(5)
        ]
        for name in urls:
            print(f"{name:10} {connections:3} connections   {self.median_load(name)}", flush=True)

    def loads(self, name: str) -> list[Load]:
        return sorted((each[name] for each in self._rounds), key=lambda load: load.rate)

    def median_load(self, name: str) -> Load:
        loads = self.loads(name)
        return loads[len(loads) // 2]

    def ratio(self, name: str, other: str) -> float:
        """Return the median over all rounds of the ratio of their rates."""
        return median(each[name].rate / each[other].rate for each in self._rounds)

    def errors(self, name: str) -> int:
        return sum(load.errors for load in self.loads(name))


class SocketClient:
    """A client on one plain socket, to keep its own cost out of the figures."""

    def __init__(self, url: str, key: str = "") -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection(
            (str(address.hostname), int(address.port or 80)), 30
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f" HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
            + (f"X-API-Key: {key}\r\n" if key else "")
        )

    def post(self, path: str, body: str) -> None:
        self._socket.sendall(
            f"POST {path}{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        answer = self._socket.recv(65_536)  # one read: a few hundred bytes on the loopback
        assert (answer[:13], answer[-1:]) == (b"HTTP/1.1 200 ", b"}"), answer


def single_connection_ratio(mlserver: str, ours: str, key: str, seconds: int) -> float:
    """Return the gateway's median latency over that of the two model calls made directly.

    The two alternate, since the speed of the machine may double from one second to the next.
    """
    direct, through = SocketClient(mlserver), SocketClient(ours, key)
    both: list[float] = []
    one: list[float] = []
    ends = perf_counter() + seconds
    for number in cycle(range(CARDS)):
        started = perf_counter()
        direct.post("/v2/models/fair-price/infer", INFER_PRICE % number)
        direct.post("/v2/models/decision/infer", INFER_SIGNAL % (number % 99))
        between = perf_counter()
        through.post("/fair_price", FAIR_PRICE % number)
        both.append(between - started)
        one.append(perf_counter() - between)
        if between > ends:
            break
    print(
        f"one connection: ours p50 {median(one) * 1e3:.2f} ms, "
        f"two direct calls {median(both) * 1e3:.2f} ms, {len(one)} of each",
        flush=True,
    )
    return median(one) / median(both)


def measure(seconds: int) -> list[Target]:
    with bench_servers() as servers:
        key = servers.key
        bare, plain = servers.start_rival("bare_app"), servers.start_rival("plain")
        ours = servers.start_gateway(POKEWATCH_ANSWER_CACHE="0")
        cached = servers.start_gateway(POKEWATCH_ANSWER_CACHE="1")
        wrk(cached, 64, 2, key)
        at_64 = Rounds(
            {"bare": bare, "plain": plain, "ours": ours, "ours, cached": cached}, 64, seconds, key
        )
        at_256 = Rounds({"plain": plain, "ours": ours}, 256, seconds, key)
        one = single_connection_ratio(servers.mlserver.url, ours, key, 3 * seconds)
        batch = [{"card_id": f"card_{number}"} for number in range(1_000)]
        cards = batch_rate(ours, key, seconds, batch)
        for name, milliseconds in transports(servers.mlserver).items():
            print(f"transport {name:28} {milliseconds:.3f} ms per call (median)", flush=True)
    return [
        Target("64 connections: ours / plain", at_64.ratio("ours", "plain"), 8),
        Target("64 connections: ours / bare", at_64.ratio("ours", "bare"), 0.33),
        Target("64 connections: p95, ms", at_64.median_load("ours").p95, 100, at_most=True),
        Target("256 connections: ours / plain", at_256.ratio("ours", "plain"), 12),
        Target("1 connection: p50 / two direct calls", one, 1.5, at_most=True),
        Target("batches of 1,000: cards per second", cards, 50_000),
        Target("64 connections, cache on: ours / bare", at_64.ratio("ours, cached", "bare"), 0.5),
        Target(
            "errors",
            at_64.errors("ours") + at_64.errors("ours, cached") + at_256.errors("ours"),
            0,
            at_most=True,
        ),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="seconds of each load")
    return report(measure(parser.parse_args(arguments).seconds))


if __name__ == "__main__":
    sys.exit(main())
