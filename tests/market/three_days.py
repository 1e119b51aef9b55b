"""Three days of a set of 150 cards, as archives of TCGCSV."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.upstream import Sleeps, Upstream, price

FIRST = date(2025, 10, 22)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]
GROUP = {"groupId": 1, "name": "Base", "publishedOn": "1999-01-09T00:00:00"}
CARDS = 150
LATER = datetime(2025, 10, 28, 2, tzinfo=UTC)  # archives are kept for 24 hours


def products(count: int = CARDS) -> list[dict[str, Any]]:
    return [
        {
            "productId": n,
            "name": f"Card {n}",
            "extendedData": [{"name": "Number", "value": f"{n}/200"}],
        }
        for n in range(1, count + 1)
    ]


def day_rows(day: date, count: int = CARDS) -> list[dict[str, Any]]:
    """Prices of `count` cards, of which a fifth differ from those of the day before."""
    step = (day - FIRST).days
    return [price(n, round(n + 0.01 * ((step + n) // 5), 2)) for n in range(1, count + 1)]


def source(
    upstream: Upstream, now: datetime = datetime(2025, 10, 27, 1, tzinfo=UTC)
) -> TcgcsvSource:
    settings = SourceSettings.read(tcgcsv_url=upstream.url, http_attempts=2, http_timeout=0.5)
    return TcgcsvSource(settings, now=lambda: now, sleep=Sleeps().sleep)


def fingerprint(lake: Lake) -> dict[str, str]:
    files = (path for path in lake.root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(lake.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
