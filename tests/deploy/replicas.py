"""HTTP servers in place of MLServers, which load a champion and a challenger from a registry."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pokewatch.contract import FAIR_PRICE, FAIR_PRICE_CHALLENGER
from pokewatch.registry import CANARY, CHAMPION, Registry
from pokewatch.serving.canaries import Canaries, CanaryPlan
from pokewatch.valuation.book import PriceBook

MARKET = "simulated-0"


class Replica(ThreadingHTTPServer):
    """Answers like an MLServer: both models from their books, and the canary that it publishes.

    `on_share` is called with each share that it publishes.
    """

    daemon_threads = True

    def __init__(self, registry: Registry) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.registry = registry
        self.canaries = Canaries()
        self.shares: list[float] = []
        self.plans: list[CanaryPlan] = []
        self.on_share: Callable[[float], None] = lambda _: None
        self.broken = False
        self.others: list[Replica] = []
        self.serving: dict[str, tuple[str, PriceBook]] = {}
        self.load(FAIR_PRICE)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def load(self, model: str) -> None:
        alias = CANARY if model == FAIR_PRICE_CHALLENGER else CHAMPION
        version = self.registry.resolve(alias)
        self.serving[model] = version.version, self.registry.open_book(version)
        if alias == CANARY:
            plan = CanaryPlan.from_state(self.registry.get_state(CANARY))
            self.canaries.publish(MARKET, plan)
            if plan.revision:
                assert all(FAIR_PRICE_CHALLENGER in other.serving for other in self.others)
                self.shares.append(plan.share)
                self.plans.append(plan)
                self.on_share(plan.share)

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        parts = path.split("/")
        if path.startswith("/v2/repository/models/"):
            self.load(parts[4])
            return 200, {}
        if path == "/catalog/status":
            return 200, {"canary": self.canaries.status(MARKET)}
        if path.endswith("/canary/end"):
            if not self.canaries.end(MARKET, body["id"], body["reason"]):
                return 409, {}
            return 200, self.canaries.status(MARKET)
        if path.endswith("/infer"):
            return 200, self.values(parts[3], body)
        return 404, {}

    def values(self, model: str, body: Any) -> Any:
        version, book = self.serving[model]
        cards = [card for card in body["inputs"][0]["data"] if card != "probe"]
        quotes = book.look_up(cards)
        wrong = 2.0 if self.broken and model == FAIR_PRICE_CHALLENGER else 1.0
        found = {
            "market_price": quotes.market,
            "fair_price": quotes.fair * wrong,
            "lower": quotes.lower,
            "upper": quotes.upper,
        }
        outputs = [{"name": name, "data": _plain(data)} for name, data in found.items()]
        outputs.append({"name": "status", "data": list(map(str, quotes.status))})
        return {"parameters": {"model_version": version}, "outputs": outputs}


def _plain(values: Any) -> list[float | None]:
    return [None if value != value else float(value) for value in values]


class _Answers(BaseHTTPRequestHandler):
    server: Replica

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(*self.server.answer(self.path, json.loads(body or b"null")))

    def do_GET(self) -> None:
        self._send(200 if self.path.endswith("/ready") else 404, {})

    def _send(self, status: int, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def addresses(replicas: list[Replica]) -> list[str]:
    return [replica.address for replica in replicas]


def no_canary(registry: Registry) -> bool:
    return registry.find(CANARY) is None and registry.get_state(CANARY) == ""
