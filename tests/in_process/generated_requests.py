"""Requests to every operation of the API, valid and not, from a seed."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

CARDS, FIRST_DAY, DAYS = 40, 1, 5  # of tests.serving.books


@dataclass(frozen=True)
class Request:
    """A request. `headers` are further ones."""

    method: str
    path: str
    body: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


def generated(count: int, seed: int) -> list[Request]:
    """Return `count` requests, about as many of each kind."""
    source = random.Random(seed)
    return [_KINDS[number % len(_KINDS)](source) for number in range(count)]


def _card(source: random.Random) -> str:
    number = source.randrange(CARDS + 3)  # some are unknown
    odd = ["", "No Such Card", "tcgplayer-7-normall", "card_7 ", "x" * 90, "\u00e9"]
    known = [f"tcgplayer-{number}-normal", f"card_{number}"]
    return source.choice(known * 6 + odd)


def _day(source: random.Random) -> str:
    day = f"2026-01-{source.randint(FIRST_DAY, FIRST_DAY + DAYS):02}"
    return source.choice([day] * 6 + ["2025-12-31", "2026-1-1", "tomorrow", ""])


def _price(source: random.Random) -> Any:
    some = round(source.uniform(0.05, 60), 2)
    return source.choice([some] * 8 + [0, -1, 1e9, "9.99", None, 0.001])


def _offer(source: random.Random) -> dict[str, Any]:
    fields: dict[str, Callable[[], Any]] = {
        "date": lambda: _day(source),
        "market_price": lambda: _price(source),
        "condition": lambda: source.choice(["NM", "LP", "near_mint", "MP", "worn"]),
        "fees": lambda: source.choice(["tcgplayer", "ebay", "cardmarket", "none", "odd"]),
        "postage": lambda: 1,
    }
    chosen = [name for name in fields if source.random() < 0.25]
    return {"card_id": _card(source)} | {name: fields[name]() for name in chosen}


def _json(method: str, path: str, body: Any) -> Request:
    return Request(method, path, json.dumps(body).encode(), (("Content-Type", "application/json"),))


def _fair_price(source: random.Random) -> Request:
    if source.random() < 0.05:
        return Request("POST", "/fair_price", b'{"card_id": ', (("Content-Type", "text/plain"),))
    return _json("POST", "/fair_price", _offer(source))


def _batch(source: random.Random) -> Request:
    cards = [_offer(source) for _ in range(source.choice([0, 1, 2, 5, 30, 120]))]
    return _json("POST", "/fair_price/batch", {"cards": cards})


def _signal(source: random.Random) -> Request:
    body = {"market_price": _price(source), "fair_price": _price(source)}
    if source.random() < 0.3:
        body["buy_threshold_pct"] = source.choice([-0.2, -0.05, 0.1, -2])
    return _json("POST", "/signal", body)


def _queried(path: str, **values: list[Any]) -> Callable[[random.Random], Request]:
    def make(source: random.Random) -> Request:
        chosen = {name: source.choice(some) for name, some in values.items()}
        query = urlencode({name: value for name, value in chosen.items() if value is not None})
        return Request("GET", f"{path}?{query}" if query else path, None)

    return make


def _of_card(ending: str) -> Callable[[random.Random], Request]:
    def make(source: random.Random) -> Request:
        name = source.choice(
            [f"card_{source.randrange(CARDS + 2)}", "tcgplayer-3-normal", "odd%20"]
        )
        query = f"?{urlencode({'from': _day(source)})}" if ending and source.random() < 0.4 else ""
        return Request("GET", f"/cards/{name}{ending}{query}", None)

    return make


def _v2_infer(source: random.Random) -> Request:
    model = source.choice(["fair-price", "decision", "pokewatch", "other"])
    rows = source.choice([1, 1, 2, 40])
    cards = {
        "name": "card_id",
        "shape": [source.choice([rows, rows, rows, rows + 1])],
        "datatype": source.choice(["BYTES"] * 5 + ["FP64"]),
        "data": [_card(source) for _ in range(rows)],
    }
    prices = [
        {
            "name": name,
            "shape": [rows, 1] if source.random() < 0.3 else [rows],
            "datatype": "FP64",
            "data": [round(source.uniform(1, 50), 2) for _ in range(rows)],
        }
        for name in ("market_price", "fair_price")
    ]
    inputs = prices if model == "decision" else [cards]
    body: dict[str, Any] = {"id": f"r{source.randrange(10**6)}", "inputs": inputs}
    if source.random() < 0.2:
        body["outputs"] = [{"name": source.choice(["fair_price", "signal", "status", "odd"])}]
    if source.random() < 0.1:
        body["inputs"] = source.choice([[], [{}], None, "x"])
    return _json("POST", f"/v2/models/{model}/infer", body)


def _v2_get(source: random.Random) -> Request:
    model = source.choice(["fair-price", "decision", "pokewatch", "other"])
    paths = [f"/v2/models/{model}", f"/v2/models/{model}/ready", "/v2", "/v2/health/ready"]
    return Request("GET", source.choice(paths), None)


def _collection(source: random.Random) -> Request:
    rows = "".join(
        f"{source.randint(1, 4)},Pok\u00e9mon {source.randrange(CARDS + 5)},Set 1,{number}\n"
        for number in range(source.choice([0, 1, 8]))
    )
    path = source.choice(["/collections/value", "/cards/resolve"])
    if path == "/cards/resolve":
        names = [{"name": f"Pok\u00e9mon {source.randrange(CARDS)}"} for _ in range(3)]
        return _json("POST", path, {"cards": names})
    body = f"Quantity,Name,Set,Card Number\n{rows}".encode()
    return Request("POST", path, body, (("Content-Type", "text/csv"),))


def _export(source: random.Random) -> Request:
    path = f"/export.{source.choice(['parquet', 'csv'])}"
    days = ["2026-01-02", "2026-01-01..2026-01-03", "2020-01-01", "odd"]
    if source.random() < 0.5:
        path += f"?{urlencode({'history': source.choice(days)})}"
    ranges = ["bytes=0-99", "bytes=100-", "bytes=-50", "bytes=99999999-", "bytes=0-1,3-4"]
    headers = (("Range", source.choice(ranges)),) if source.random() < 0.4 else ()
    return Request("GET", path, None, headers)


def _odd(source: random.Random) -> Request:
    method, path = source.choice(
        [("GET", "/fair_price"), ("DELETE", "/cards"), ("GET", "/nowhere"), ("PUT", "/signal")]
    )
    return Request(method, path, None)


_LIMITS = [None, 1, 7, 1000, 0, "x"]
_TEXTS = [None, "pok", "Pok\u00e9mon 3", "zzz", "12", ""]
_KINDS: list[Callable[[random.Random], Request]] = [
    _fair_price,
    _batch,
    _signal,
    _v2_infer,
    _v2_get,
    _collection,
    _of_card(""),
    _of_card("/history"),
    _of_card("/printings"),
    _queried("/cards", q=_TEXTS, limit=_LIMITS, set=[None, None, "set_1", "Set 1", "none"]),
    _queried("/suggestions", q=_TEXTS),
    _queried("/movers", limit=_LIMITS, policy=[None, "net_of_fees", "odd"], min_price=[None, 5]),
    _queried("/sets", limit=_LIMITS),
    _queried("/index"),
    _queried("/changes", format=[None, "csv"], limit=_LIMITS),
    _queried("/track-record"),
    _queried("/track-record.csv", month=[None, "2025-10", "2025-99"]),
    _queried("/track-record.parquet", month=["2025-10", "2024-01", None]),
    _export,
    _odd,
    _fair_price,
    _fair_price,
]
