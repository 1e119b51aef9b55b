"""`pokewatch watch`, on a champion made by the real pipeline."""

import json
from pathlib import Path

import pytest

from pokewatch.registry import Registry
from pokewatch.valuation.book import PriceBook
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.store import NewWatch, WatchStore
from tests.cli.commands import run

NEW = "0123456789ab"  # the id of a key


@pytest.fixture
def book(champion_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PriceBook:
    """The champion's book; watches are in a database of the test's own."""
    monkeypatch.setenv("POKEWATCH_WATCHES_URL", f"sqlite:///{tmp_path}/watches.sqlite")
    champion = Registry().resolve()
    return PriceBook.open(Registry().download_book(champion), champion.digest)


def added(*arguments: str) -> dict[str, object]:
    result = run("watch", "add", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_a_watch_is_added_judged_and_removed(book: PriceBook) -> None:
    slug, price = book.cards.slugs[0], float(book.latest().market[0])
    holding = added(slug, "--below", f"{price:.2f}")
    other = added(book.cards.ids[0], "--above", f"{price + 1:.2f}")
    assert (holding["card"], holding["state"]) == (slug, "armed")
    assert other["condition"] == f"at or above {price + 1:,.2f} USD"
    first = json.loads(run("watch", "judge", "--json").stdout)
    assert (first["judged"], first["fired"], first["failed"]) == (2, 1, 1)
    again = json.loads(run("watch", "judge", "--json").stdout)
    assert (again["judged"], again["fired"], again["failed"]) == (2, 0, 0)
    listed = {each["id"]: each for each in json.loads(run("watch", "list", "--json").stdout)}
    assert listed[holding["id"]]["state"] == "fired"
    assert listed[holding["id"]]["crossed"] == book.last_day.isoformat()
    assert listed[other["id"]]["state"] == "armed"
    (delivery,) = json.loads(run("watch", "deliveries", str(holding["id"]), "--json").stdout)
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)
    assert "POKEWATCH_NOTIFY_URLS has no such address" in delivery["error"]
    result = run("watch", "remove", str(holding["id"]))
    assert result.stdout == f"watch {holding['id']} of {slug} is removed\n"
    assert [each["id"] for each in json.loads(run("watch", "list", "--json").stdout)] == [
        other["id"]
    ]
    assert str(other["id"]) in run("watch", "list").stdout


def test_what_is_printed_once(book: PriceBook) -> None:
    result = run(
        "watch",
        "add",
        book.cards.slugs[0],
        "--moves",
        "10%/7d",
        "--webhook",
        "https://example.com/",
    )
    assert "moves 10% in 7 days" in result.stdout
    assert "not shown again: whsec_" in result.stdout
    assert "whsec_" not in run("watch", "list", "--json").stdout
    silent = run("watch", "add", book.cards.slugs[0], "--signal", "BUY")
    assert "Nobody will be notified: set POKEWATCH_NOTIFY_URLS or give --webhook" in silent.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ((), 2, "give one of --below, --above, --signal and --moves"),
        (("--below", "3", "--above", "4"), 2, "give one of"),
        (("--below", "nan"), 2, "is not a price"),
        (("--below", "inf"), 2, "is not a price"),
        (("--below", "0"), 2, "is not a price"),
        (("--below", "€3.50"), 2, "--below is in EUR, the prices are in USD"),
        (("--below", "1e9"), 2, "use a number of at least 0.001, up to 10,000,000"),
        (("--moves", "10"), 2, "such as 10%/7d"),
        (("--signal", "HOLD"), 2, "HOLD"),
        (("--below", "3", "--currency", "EUR"), 2, "--currency EUR: the prices are in USD"),
        (("--below", "3", "--webhook", "http://example.com/"), 2, "https://"),
        (("--below", "3", "--webhook", "https://10.0.0.1/"), 2, "not at a public address"),
    ],
    ids=str,
)
def test_what_cannot_be_watched(
    book: PriceBook, arguments: tuple[str, ...], code: int, text: str
) -> None:
    result = run("watch", "add", book.cards.slugs[0], *arguments)
    assert result.exit_code == code, result.output
    assert text in result.output
    assert json.loads(run("watch", "list", "--json").stdout) == []


@pytest.mark.parametrize("currency", ["usd", "USD", " Usd "])
def test_a_currency_may_be_written_in_lower_case(book: PriceBook, currency: str) -> None:
    made = added(book.cards.slugs[0], "--below", "3", "--currency", currency)
    assert made["condition"] == "at or below 3.00 USD"


def test_unknown_cards_and_watches(book: PriceBook) -> None:
    result = run("watch", "add", "no_such_card", "--below", "3")
    assert (result.exit_code, "unknown card" in result.output) == (3, True)
    for command in (("remove", "w_x"), ("deliveries", "w_x")):
        result = run("watch", *command)
        assert (result.exit_code, "no watch has the id 'w_x'" in result.output) == (3, True)
    assert run("watch", "remove").exit_code == 2
    assert run("watch", "remove", "w_x", "--key", "k").exit_code == 2


def test_a_test_message_needs_a_webhook_that_answers(book: PriceBook) -> None:
    silent = added(book.cards.slugs[0], "--signal", "BUY")
    result = run("watch", "test", str(silent["id"]))
    assert (result.exit_code, "has no webhook" in result.output) == (3, True)
    nowhere = added(book.cards.slugs[0], "--signal", "BUY", "--webhook", "https://hook.invalid/")
    result = run("watch", "test", str(nowhere["id"]))
    assert (result.exit_code, "did not accept the message" in result.output) == (3, True)


def test_watches_of_keys(book: PriceBook) -> None:
    added(book.cards.slugs[0], "--signal", "BUY")
    assert run("watch", "transfer", "old", NEW).stdout == f"transferred 0 watches to key {NEW}\n"
    condition = Condition("signal", signal="BUY")
    card = book.cards.ids[0], book.cards.slugs[0]
    WatchStore(WatchDatabase.configured()).create("old", NewWatch(*card, condition, None))
    assert run("watch", "transfer", "old", NEW).stdout == f"transferred 1 watch to key {NEW}\n"
    assert run("watch", "remove", "--key", NEW).stdout == "removed 1 watch\n"
    assert run("watch", "remove", "--key", NEW).stdout == "removed 0 watches\n"
    assert len(json.loads(run("watch", "list", "--json").stdout)) == 1, "that of no key stays"
    assert run("watch", "remove", "--key", "").exit_code == 2
    for wrong in ("", "new", f"pw_{NEW}_secret"):  # a whole key would be stored, and printed
        assert run("watch", "transfer", "old", wrong).exit_code == 2, wrong


def test_nothing_is_due(book: PriceBook) -> None:
    assert run("watch", "deliver").stdout == "sent 0, to retry 0, failed 0\n"
    assert run("watch", "deliver", "--follow").stdout == "sent 0, to retry 0, failed 0\n"
