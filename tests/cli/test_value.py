"""`pokewatch value`, on a champion made by the real pipeline."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from pokewatch.cli import card_choice, output
from pokewatch.registry import Registry
from pokewatch.valuation.book import PriceBook
from tests.cli.commands import run, run_json


def card_at(book: PriceBook, position: int) -> dict[str, Any]:
    return book.cards.describe(np.array([position]))[0]


def test_value_agrees_with_the_book(book: PriceBook) -> None:
    card = card_at(book, 5)
    (by_id,) = run_json("value", card["card_id"])
    (by_slug,) = run_json("value", card["slug"])
    quote = book.look_up([card["card_id"]])
    assert by_id == by_slug
    assert by_id["fair_price"] == pytest.approx(float(quote.fair[0]), abs=0)
    assert by_id["date"] == str(book.last_day)
    assert by_id["model_version"] == "1"
    assert len(by_id["data_version"]) == 32
    assert by_id["skill"] == Registry().resolve().tags["skill"]


@pytest.mark.parametrize(
    ("factor", "signal"), [(0.9, "BUY"), (0.95, "HOLD"), (1.1, "HOLD"), (1.15, "SELL")]
)
def test_an_offered_price_is_compared_with_the_fair_price(
    factor: float, signal: str, book: PriceBook
) -> None:
    latest = book.latest()
    position = next(row for row, status in enumerate(latest.status) if status == "ok")
    card = card_at(book, position)["card_id"]
    (row,) = run_json("value", card, "--price", repr(float(latest.fair[position]) * factor))
    assert row["signal"] == signal


def test_a_card_that_no_purchase_of_earns_has_no_price_to_buy_below(book: PriceBook) -> None:
    cheapest = card_at(book, int(np.nanargmin(book.latest().market)))["card_id"]
    (row,) = run_json("value", cheapest)
    assert row["buy_below"] == 0
    shown = run("value", cheapest).stdout
    assert "buy at no price" in shown
    assert "buy below 0" not in shown


def test_a_past_day_is_answered_as_it_was(book: PriceBook) -> None:
    card = card_at(book, 0)["card_id"]
    day = book.last_day - timedelta(days=10)
    (row,) = run_json("value", card, "--date", day.isoformat())
    assert row["date"] == day.isoformat()


def test_an_unknown_card_is_an_error_with_near_matches(book: PriceBook) -> None:
    slug = card_at(book, 3)["slug"]
    result = run("value", slug + "x")
    assert result.exit_code == 3
    assert f"unknown card '{slug}x'; did you mean {slug}" in result.stderr


@pytest.mark.parametrize(
    ("day", "code", "message"),
    [
        ("1999-01-01", 3, "no prices for 1999-01-01: the book runs from"),
        ("yesterday", 2, "'yesterday' is not a date such as"),
        ("20260110", 2, "'20260110' is not a date such as"),
        ("2026-W02-6", 2, "'2026-W02-6' is not a date such as"),
    ],
    ids=["outside", "malformed", "compact", "week"],
)
def test_a_bad_date_is_an_error(day: str, code: int, message: str, book: PriceBook) -> None:
    result = run("value", card_at(book, 0)["card_id"], "--date", day)
    assert (result.exit_code, message in result.stderr) == (code, True)


@pytest.mark.parametrize("price", ["0", "-3", "nan", "free", "0.0009", "10000001"])
def test_a_bad_price_is_an_error(price: str, champion_home: Path) -> None:
    result = run("value", "anything", "--price", price)
    assert result.exit_code == 2
    assert "--price" in result.stderr


def test_a_sample_shows_the_strongest_first(champion_home: Path) -> None:
    result = run("value", "--sample", "4")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    cards = [line.partition(":") for line in lines if line[0] != " " and "_threshold" in line]
    (first, *_) = run_json("value", "--sample", "4")
    assert len(cards) == 4
    assert cards[0][0] == first["slug"]
    assert cards[0][2].strip().startswith(f"{first['signal']}, ")
    assert f"  {first['date']}: market {first['market_price']:,.2f} USD; fair " in result.stdout
    assert "simulated prices in USD" in result.stdout
    assert f"evaluation of the fair price: {Registry().resolve().tags['skill']}" in result.stdout
    assert max(map(len, lines)) <= 80


def test_a_card_is_found_by_its_name(book: PriceBook) -> None:
    card = card_at(book, 5)
    words = f"{card['set_name']} {card['number']} {card['name']} {card['printing']}".upper()
    (row,) = run_json("value", words)
    assert row["card_id"] == card["card_id"]


def test_a_name_of_several_cards_is_an_error_with_their_ids(book: PriceBook) -> None:
    name = card_at(book, 5)["set_name"]
    result = run("value", name)
    positions = book.cards.search(name, limit=1_000)
    assert result.exit_code == 3
    assert f"{name!r} may be {len(positions)} cards; use the id of one:" in result.stderr
    assert f"  {book.cards.ids[positions[0]]}\n" in result.stderr
    assert f"and {len(positions) - 20} more" in result.stderr


def test_on_a_terminal_the_user_chooses_among_several(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(click, "echo", lambda *_, **__: None)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: 2)
    name = card_at(book, 5)["set_name"]
    found = card_choice.find_cards(book, [name], ask=True)
    assert found == [book.cards.ids[book.cards.search(name, limit=2)[1]]]


@pytest.mark.parametrize("given", [("a", "b"), ("a", "--sample", "1"), ("--sample", "2")])
def test_one_price_is_refused_for_several_cards(given: tuple[str, ...], home: Path) -> None:
    result = run("value", *given, "--price", "3.50")
    assert result.exit_code == 2
    assert "--price 3.5 is the price of one card" in result.stderr


@pytest.mark.parametrize("price", ["$3.50", "3,50", "3.50", "USD 3.50", "3.50 $", "$ 3,50"])
def test_a_price_is_read_as_people_write_it(price: str, book: PriceBook) -> None:
    (row,) = run_json("value", card_at(book, 5)["card_id"], "--price", price)
    assert row["market_price"] == 3.5


def test_a_price_that_is_asked_is_not_called_that_of_the_market(book: PriceBook) -> None:
    (row,) = run_json("value", "--sample", "1")
    shown = run("value", row["card_id"], "--price", "0.01").stdout
    assert f"{row['date']}: asked 0.01 USD; fair " in shown
    assert "market" not in shown


def test_a_buy_that_fees_make_a_loss_is_explained(champion_home: Path) -> None:
    explained = "BUY compares the price with the fair price; where the chance to earn is small"
    rows = run_json("value", "--sample", "400")
    known = [row for row in rows if row["status"] == "ok" and row["fair_price"] > 0.2]
    known.sort(key=lambda row: row["fair_price"])
    for row, share, loses in ((known[0], 0.8, True), (known[-1], 0.3, False)):
        given = (row["card_id"], "--price", f"{row['fair_price'] * share:.2f}")
        (judged,) = run_json("value", *given)
        assert (judged["signal"], judged["chance_to_earn"] < 0.5) == ("BUY", loses)
        shown = " ".join(run("value", *given).stdout.split())
        assert (explained in shown) == loses


def test_a_hold_at_a_price_to_sell_at_is_explained(champion_home: Path) -> None:
    explained = "HOLD compares the price with the fair price; at or above the price of"
    rows = run_json("value", "--sample", "400")
    row = max((row for row in rows if row["status"] == "ok"), key=lambda row: row["fair_price"])
    for price, told in ((row["sell_above"], True), (row["sell_above"] - 0.01, False)):
        given = (row["card_id"], "--price", f"{price:.2f}")
        (judged,) = run_json("value", *given)
        assert (judged["signal"], judged["sell_above"]) == ("HOLD", row["sell_above"])
        assert (explained in " ".join(run("value", *given).stdout.split())) == told


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("€3.50", "--price is in EUR, the prices are in USD"),
        ("1,234", "'1,234' may be 1.234 or 1234: write 1234, or 1.2340"),
        ("1.234", "'1.234' may be 1.234 or 1234: write 1234, or 1.2340"),
        ("1_0", "'1_0' is not a price such as 3.50"),
        ("3.50 bananas", "'3.50 bananas' is not a price such as 3.50"),
        ("1.2.3", "'1.2.3' is not a price such as 3.50"),
    ],
)
def test_a_price_that_may_be_another_is_refused(price: str, message: str, book: PriceBook) -> None:
    result = run("value", card_at(book, 5)["card_id"], "--price", price)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_card_before_the_first_run_is_an_error_without_a_traceback(home: Path) -> None:
    program = Path(sys.executable).with_name("pokewatch")
    command = [str(program), "pipeline", "card", "view", "gate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_value_warns_of_old_prices(book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_DATA_AGE_HOURS", -1_000_000)
    result = run("value", "--sample", "1", "--json")
    assert f"warning: the newest prices are of {book.last_day}" in result.stderr
    assert json.loads(result.stdout)


def test_value_does_not_import_mlflow(champion_home: Path) -> None:
    """Importing MLflow takes longer than everything else that the command does."""
    Registry().download_book(Registry().resolve())
    code = (
        "import sys; from pokewatch.cli.main import main; "
        "main(['value', '--sample', '1'], standalone_mode=False); sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
