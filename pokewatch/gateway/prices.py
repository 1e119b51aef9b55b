"""POST /fair_price, /fair_price/batch and /signal."""

from datetime import date
from typing import Any

import msgspec
from msgspec import UNSET

from pokewatch.gateway.bodies import decode
from pokewatch.gateway.coalescing import Coalescer
from pokewatch.gateway.composition import Ask
from pokewatch.gateway.exchange import JSON, Answer, Exchange, Header
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.models import FairPrice, FairPriceRequest
from pokewatch.gateway.problems import ProblemError, invalid

_encode = msgspec.json.Encoder().encode
_fair_price = msgspec.json.Decoder(FairPriceRequest).decode
_PRIVATE: list[Header] = [JSON, (b"cache-control", b"no-store")]


def checked_day(text: str, pointer: str) -> str:
    """`text` if it is a calendar day as YYYY-MM-DD. Raises ProblemError (422)."""
    try:
        if len(text) == 10 and text[4] == text[7] == "-":
            date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise invalid(pointer, f"{text[:40]!r} is not a day like 2026-11-20")


def asked(request: FairPriceRequest, onward: bytes) -> Ask:
    day = "" if request.date is UNSET else checked_day(request.date, "/date")
    return Ask(request.card_id, day, None if request.market_price is UNSET else request.market_price, onward)


class Prices:
    """The coalescers by lane: cards at the market's price, cards at a price offered."""

    def __init__(self, at_market: Coalescer[Ask, FairPrice], offered: Coalescer[Ask, FairPrice], metrics: Metrics) -> None:
        self._at_market = at_market
        self._offered = offered
        self._signals: dict[str, Any] = {name: metrics.predictions.labels(name) for name in ("BUY", "SELL", "HOLD")}

    async def fair_price(self, exchange: Exchange) -> Answer:
        ask = asked(decode(_fair_price, exchange.body), exchange.onward())
        found = await (self._at_market if ask.offered is None else self._offered).submit(ask)
        if isinstance(found, ProblemError):
            raise found.with_traceback(None)
        self._signals[found.signal].inc()
        return 200, _PRIVATE, b'%s,"stale":false,"request_id":"%s"}' % (_encode(found)[:-1], exchange.request_id.encode())
