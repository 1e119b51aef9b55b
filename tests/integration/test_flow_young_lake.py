"""The daily flow on the live pages of TCGCSV, from an empty home: a first and a second day."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokewatch.registry import NOT_EVALUATED, Registry
from tests.integration.flow import card_text, last_card, run_flow
from tests.integration.stack import served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CARDS = range(1, 201)
NO_SERVER: dict[str, Any] = {"POKEWATCH_MLSERVER_URLS": "http://127.0.0.1:9"}


class LivePages(ThreadingHTTPServer):
    """The pages of one set with its archive closed; `day` is that of the latest update."""

    day: date

    def page(self, path: str) -> Any:
        today = self.day.toordinal()
        match path.strip("/").split("/"):
            case ["tcgplayer", _, "groups"]:
                return [{"groupId": 1, "name": "First Set"}]
            case ["tcgplayer", _, "1", "products"]:
                return [{"productId": card, "name": f"Card {card}"} for card in CARDS]
            case ["tcgplayer", _, "1", "prices"]:
                return [
                    {
                        "productId": card,
                        "subTypeName": "Normal",
                        "marketPrice": round(card * (1.03 if (card + today) % 3 == 0 else 1), 2),
                        "lowPrice": card * 0.9,
                        "midPrice": card * 1.1,
                        "highPrice": card * 2.0,
                    }
                    for card in CARDS
                ]
        return None


class _Handler(BaseHTTPRequestHandler):
    server: LivePages

    def do_GET(self) -> None:
        rows = self.server.page(self.path)
        if self.path == "/last-updated.txt":
            status, body = 200, f"{self.server.day}T20:05:00+00:00"
        elif rows is None:
            status, body = (403 if self.path.startswith("/archive") else 404), ""
        else:
            status, body = 200, json.dumps({"success": True, "errors": [], "results": rows})
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def live_pages() -> Iterator[LivePages]:
    with LivePages(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def run_daily(home: Path, folder: Path, server: LivePages) -> str:
    """Run the flow a day after the last run, when pages may be requested again."""
    for store in (home / "requests").glob("*.sqlite"):
        store.unlink()
    options = ("run", "--source", "tcgcsv", "--categories", "pokemon")
    url = f"http://127.0.0.1:{server.server_port}"
    done = run_flow(folder, *options, **NO_SERVER, POKEWATCH_TCGCSV_URL=url)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_first_two_days_of_a_new_home_end_in_answers(home: Path, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    with live_pages() as server:
        for days, day in ((1, today - timedelta(days=1)), (2, today)):
            server.day = day
            remark = f"{days} day{'s' if days > 1 else ''} of prices, 15 are needed"
            remark = f"registered without evaluation: {remark}"
            assert remark in run_daily(home, tmp_path, server)
            assert Registry().resolve().tags[NOT_EVALUATED] == remark
            assert remark.capitalize() in card_text(last_card(home, "gate"))
            assert "not judged" in card_text(last_card(home, "gate"))
            assert "passed the gate" not in card_text(last_card(home, "gate"))
            assert remark.capitalize() in card_text(last_card(home, "deploy"))
    with served(home, tmp_path / "serve.log") as running:
        ready = httpx.get(f"{running.gateway}/ready").json()
        question, key = {"card_id": running.card}, {"X-API-Key": running.key}
        answer = httpx.post(f"{running.gateway}/fair_price", json=question, headers=key).json()
    assert ready["not_evaluated"] == remark
    assert (ready["model"], ready["cards"], ready["last_day"]) == ("last", 200, str(today))
    assert (answer["status"], answer["signal"], answer["reason"]) == (
        "thin_history",
        "HOLD",
        "thin_history",
    )
    assert answer["lower"] < answer["fair_price"] < answer["upper"]
    assert 0 < answer["confidence"] < 1
