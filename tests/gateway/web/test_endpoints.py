"""Pages while the model server goes away."""

from pathlib import Path

from tests.gateway.conftest import gateway_at
from tests.gateway.web.pages import BROWSER, page, words
from tests.polling import eventually
from tests.serving.books import make_book
from tests.serving.server import serving_book


def test_pages_of_a_stopped_model_server_say_so_and_are_not_cached(tmp_path: Path) -> None:
    digest = make_book(tmp_path / "book")
    with serving_book(tmp_path, digest) as found, gateway_at(found.url, tmp_path) as gateway:
        seen = "/cards/card_4?range=1m"
        first = words(page(gateway.get(seen, key="", headers=BROWSER)))
        assert "not answering" not in first
        size = gateway.app.assembly.answer_cache.bytes
        found.process.kill()
        found.process.wait(20)
        poller = gateway.app.assembly.markets.first.poller
        eventually(lambda: poller.problem, lambda problem: problem is not None)
        other = gateway.get("/cards/card_4?range=all", key="", headers=BROWSER)
        assert "The model server is not answering at the moment." in words(page(other))
        assert gateway.app.assembly.answer_cache.bytes == size
        assert "not answering" in words(page(gateway.get(seen, key="", headers=BROWSER)))
        assert "cannot be used" in words(page(gateway.get("/status", key="", headers=BROWSER)))
        unseen = words(page(gateway.get("/cards/card_5", key="", headers=BROWSER), 503))
        assert "The model server is not answering at the moment." in unseen
        assert "last known prices" not in unseen
