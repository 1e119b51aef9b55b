"""`pokewatch collection value`, on a champion made by the real pipeline."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pokewatch.cli.collection import _print, _valued_row, _write
from pokewatch.collection.matching import Matcher
from pokewatch.collection.worth import value_collection
from pokewatch.csv_cells import BYTE_ORDER_MARK
from pokewatch.valuation.book import PriceBook
from tests.cli.commands import run
from tests.collection.books import book_of_ids, collection_book
from tests.collection.exports_by_app import EXPORTS
from tests.collection.test_exports import read

HARD_NAMES = (
    *("Charizard [Reverse Holo] #4", "Charizard (Shadowless)", "Pikachu [Staff]", "'Tis", "-5"),
    *("Umbreon VMAX 215/203", "Charizard-Holo", "tcgplayer-42400-holofoil", "42400"),
)


@pytest.fixture
def export(tmp_path: Path, book: PriceBook) -> Path:
    """A file of the first 60 cards, a line of none of them, and one that cannot be read."""
    path = tmp_path / "export.csv"
    with path.open("w", newline="", encoding="utf-16") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["name", "set", "number", "printing", "condition", "quantity"])
        for card in book.cards.describe(np.arange(60)):
            row = [card["name"], card["set_name"], card["number"], card["printing"], "NM", "2"]
            writer.writerow(row)
        writer.writerow(["=cmd()", "Nowhere", "1", "Normal", "NM", "1"])
        writer.writerow(["Pikachu", "Nowhere", "1", "Normal", "NM", "many"])
    return path


@pytest.fixture(scope="module")
def matched_book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return collection_book(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def matcher(matched_book: PriceBook) -> Matcher:
    return Matcher(matched_book)


def test_a_file_is_matched_and_valued(export: Path, book: PriceBook) -> None:
    result = run("collection", "value", str(export), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["counts"]["matched"] == {"lines": 60, "copies": 120}
    assert found["counts"]["unmatched"]["lines"] == found["counts"]["refused"]["lines"] == 1
    assert [line["card"] for line in found["lines"][:60]] == book.cards.slugs[:60]
    market = np.nansum(book.latest().market[:60]) * 2
    assert found["totals"]["market"] == pytest.approx(market, abs=0.01)
    assert found["totals"]["lower"] < found["totals"]["fair"] < found["totals"]["upper"]
    assert found["model_version"] == "1"


def test_every_line_is_written(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "worth.csv"
    result = run("collection", "value", str(export), "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "60 lines (120 copies) matched" in result.stdout
    assert "line 62: =cmd(): not valued" in result.stdout
    assert "'many' is not a number of copies" in result.stdout
    with out.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 62
    assert out.read_bytes().startswith(BYTE_ORDER_MARK)
    assert rows[-2]["name"] == "'=cmd()"
    assert (rows[-1]["line"], rows[-1]["outcome"]) == ("63", "refused")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_profit_of_a_collection_is_shown_where_the_file_has_costs(
    tmp_path: Path, book: PriceBook
) -> None:
    path = tmp_path / "mine.csv"
    slugs = book.cards.slugs
    path.write_text(f"card_id,quantity,Cost ($)\n{slugs[0]},2,1000.00\n{slugs[1]},1,\n")
    totals = json.loads(run("collection", "value", str(path), "--json").stdout)["totals"]
    shown = " ".join(run("collection", "value", str(path)).stdout.split())
    assert (totals["cost"], totals["copies_with_cost"]) == (2000, 2)
    assert totals["profit"] < 0
    assert (
        "paid 2,000.00 USD for 2 copies of known cost: "
        f"a loss of {-totals['profit']:,.2f} USD if they are sold now"
    ) in shown
    path.write_text(f"card_id,quantity\n{slugs[0]},2\n")
    assert "of known cost" not in run("collection", "value", str(path)).stdout


def test_what_was_written_is_valued_as_before(tmp_path: Path, book: PriceBook) -> None:
    """Conditions that are not known, grades, lines of no copy and of no card included."""
    card, other = book.cards.describe(np.arange(2))
    known = f"{card['name']},{card['set_name']},{card['number']},{card['printing']}"
    lines = [
        "name,set,number,printing,language,condition,grade,product_id,quantity,total_cost,currency",
        f"{known},,excellent,,,3,10.00",
        f"{known},,excellent,,,1,1.005",
        f"{known},,excellent,,,1,€2.00",
        f"{known},,excellent,,,1,3.00,Gold",
        f"{known},,Chewed,,,2,0.5",
        f"{known},,,PSA 10,,1,1234",
        f"{known},,NM,,,0",
        f"{known},,NM,,,many",
        f"{card['name']},Nowhere,1,Normal,Japanese,NM,,,4",
        "+2 Mace,Nowhere,1,Normal,,NM,,,5",
        f"{card['name']},{'Nowhere' * 70},1,Normal,,NM,,,5",
        ",,,,,NM,,999999999,6",
        f"{other['slug']},,,,,NM,,,7,,",
    ]
    path, written, again = tmp_path / "mine.csv", tmp_path / "worth.csv", tmp_path / "again.csv"
    path.write_text("\n".join(lines))
    first = json.loads(
        run("collection", "value", str(path), "--json", "--out", str(written)).stdout
    )
    second = json.loads(
        run("collection", "value", str(written), "--json", "--out", str(again)).stdout
    )
    assert (first["app"], second["app"]) == (None, "PokeWatch")
    assert first["counts"]["refused"]["lines"] == 2
    assert (second["counts"], second["totals"]) == (first["counts"], first["totals"])
    for before, after in zip(first["lines"], second["lines"], strict=True):
        assert {name for name in before if before[name] != after[name]} <= {"line"}, before
    assert [each["reason"] for each in second["refused"]] == [
        each["reason"] for each in first["refused"]
    ]
    rows = [
        list(csv.DictReader(io.StringIO(each.read_bytes().decode("utf-8-sig"), newline="")))
        for each in (written, again)
    ]
    for row in (*rows[0], *rows[1]):
        del row["line"]
    assert rows[0] == rows[1]


def test_a_cost_in_an_unknown_currency_stays_one(tmp_path: Path, book: PriceBook) -> None:
    path, written = tmp_path / "mine.csv", tmp_path / "worth.csv"
    path.write_text(f"card_id,quantity,Cost,Currency\n{book.cards.slugs[0]},2,5.00,Galleons\n")
    for file in (path, written):
        shown = run("collection", "value", str(file), "--json", "--out", str(written)).stdout
        worth = json.loads(shown)
        assert worth["lines"][0]["cost_currency"] == "?"
        assert worth["totals"]["cost"] is None
        assert "is in an unknown currency" in " ".join(worth["notes"])


def _valued_again(rows: list[dict[str, str]], path: Path, separator: str = ",") -> dict[str, Any]:
    """Return the worth of the rows of a file that was written, as a spreadsheet saves them."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=separator, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    found: dict[str, Any] = json.loads(run("collection", "value", str(path), "--json").stdout)
    return found


@pytest.fixture
def written(export: Path, tmp_path: Path) -> list[dict[str, str]]:
    """The rows of what is written of the export."""
    out = tmp_path / "worth.csv"
    run("collection", "value", str(export), "--out", str(out))
    with out.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_what_was_written_may_be_corrected(
    written: list[dict[str, str]], tmp_path: Path, book: PriceBook
) -> None:
    """A card that was matched, one that was not, and a line that was left out."""
    card, other = book.cards.describe(np.array([70, 71]))
    written[0] |= {"name": card["name"], "set": card["set_name"], "number": card["number"]}
    written[0] |= {"printing": card["printing"]}
    written[-2] |= {"card_id": other["slug"]}
    written[-1] |= {"name": book.cards.slugs[72], "card_id": book.cards.slugs[72], "quantity": "3"}
    found = _valued_again(written, tmp_path / "corrected.csv")
    assert found["refused"] == []
    lines = [found["lines"][at] for at in (0, 60, 61)]
    assert [line["card"] for line in lines] == book.cards.slugs[70:73]
    assert lines[-1]["quantity"] == 3


@pytest.mark.parametrize("kept", [("outcome",), ("quantity",), ("outcome", "quantity")])
def test_a_line_that_was_left_out_stays_so_without_other_columns(
    written: list[dict[str, str]], tmp_path: Path, kept: tuple[str, ...]
) -> None:
    names = ("name", "set", "number", "printing", *kept)
    rows = [{name: row[name] for name in names} for row in written]
    found = _valued_again(rows, tmp_path / "fewer.csv")
    assert found["counts"]["matched"]["lines"] == 60
    assert [line["reason"] for line in found["refused"]] == ["it counts no copy"]


def test_what_was_written_may_be_sorted_and_saved_elsewhere(
    written: list[dict[str, str]], tmp_path: Path
) -> None:
    """As a German spreadsheet does, with other decimal marks and the columns moved."""
    first = _valued_again(written, tmp_path / "first.csv")
    turned = [
        {
            name: f"{cell},00" if name == "quantity" else cell.replace(".", ",")
            for name, cell in reversed(row.items())
            if name != "candidates"
        }
        for row in reversed(written)
    ]
    second = _valued_again(turned, tmp_path / "second.csv", ";")
    assert second["totals"] == first["totals"]
    assert second["counts"] == first["counts"]
    assert second["refused"][0]["reason"] == first["refused"][0]["reason"]


def test_what_is_no_collection_is_explained(champion_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("date,price\n2026-01-01,3\n")
    result = run("collection", "value", str(path))
    assert result.exit_code == 2
    assert "no column names the cards" in result.stderr
    result = run("collection", "value", str(path), "--fees", "cardmarket")
    assert result.exit_code == 2
    result = run("collection", "value", str(tmp_path / "none.csv"))
    assert result.exit_code == 2
    assert "none.csv cannot be read: No such file" in result.stderr


def test_a_result_that_cannot_be_written_is_an_error(export: Path, tmp_path: Path) -> None:
    result = run("collection", "value", str(export), "--out", str(tmp_path / "none" / "x.csv"))
    assert result.exit_code != 0
    assert "x.csv cannot be written: No such file or directory\n" in result.stderr


def test_what_is_written_is_csv(export: Path, tmp_path: Path) -> None:
    path = tmp_path / "worth.xlsx"
    result = run("collection", "value", str(export), "--out", str(path))
    assert (result.exit_code, path.exists()) == (2, False)
    assert "--out 'worth.xlsx' does not end in .csv: rename it\n" in result.stderr


def test_a_line_without_a_fair_price_is_listed_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    book = book_of_ids(tmp_path, {"a": None, "b": None})
    slug = book.cards.slugs[1]
    found = value_collection(book, Matcher(book), read(f"card_id,quantity\n{slug},2\n"))
    assert found["lines"][0]["market_price"] is not None
    _print(found, book, None)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count(slug) == 1
    assert f"{slug}: not valued: the card has no fair price on this day" in shown


def test_the_cards_to_sell_are_shown_first_and_added_up(
    capsys: pytest.CaptureFixture[str], export: Path, book: PriceBook
) -> None:
    """However little they are worth: a dealer has thousands of cards that are worth more."""
    found = json.loads(run("collection", "value", str(export), "--json").stdout)
    by_worth = sorted(found["lines"][:60], key=lambda row: -row["market_total"])
    for row in by_worth:
        row["advice"] = "keep"
    for row, gain in zip(by_worth[-3:], (0.2, 0.11, 0.0), strict=True):
        row |= {"advice": "sell", "gain_of_selling": gain, "proceeds_now": 1.5}
    _print(found, book, None)
    shown = " ".join(capsys.readouterr().out.split())
    first = [row["card"] for row in (*by_worth[-3:-1], *by_worth[:18])]
    places = [shown.index(f"card {slug};") for slug in first]
    assert places == sorted(places)
    assert "to sell now: 2 lines (4 copies), 3.00 USD after fees, 0.31 USD more than" in shown
    assert " at the fair prices in 7 days " in shown

    for row in by_worth:
        row["advice"] = "keep"
    _print(found, book, None)
    assert "no card is better sold now than kept\n" in capsys.readouterr().out


def test_the_cards_that_a_line_may_be_are_named(
    capsys: pytest.CaptureFixture[str], matched_book: PriceBook, matcher: Matcher
) -> None:
    """With the slug behind each, which can be written into the file."""
    found = value_collection(matched_book, matcher, read("name,quantity\nCharizrd,2\n"))
    _print(found, matched_book, None)
    shown = " ".join(capsys.readouterr().out.split())
    slugs = found["lines"][0]["candidates"][:3]
    positions = matched_book.cards.positions(slugs)
    for slug, card in zip(slugs, matched_book.cards.describe(positions), strict=True):
        assert f"{card['name']}, {card['set_name']}, {card['number']}, " in shown
        assert f" ({slug})" in shown


@pytest.mark.parametrize(
    "text", [*EXPORTS.values(), "\n".join(("name", *HARD_NAMES))], ids=[*EXPORTS, "names"]
)
def test_what_is_written_of_a_file_of_any_app_has_the_same_outcome(
    matcher: Matcher, matched_book: PriceBook, tmp_path: Path, text: str
) -> None:
    first = read(text)
    worth = value_collection(matched_book, matcher, first)
    _write(tmp_path / "worth.csv", list(map(_valued_row, worth["lines"], first.lines)))
    second = read((tmp_path / "worth.csv").read_bytes().decode("utf-8-sig"))
    outcomes = [
        [(each.outcome, each.position, each.candidates) for each in matcher.match_all(lines)]
        for lines in (first.lines, second.lines)
    ]
    assert outcomes[0] == outcomes[1]
    for before, after in zip(first.lines, second.lines, strict=True):
        for field in ("quantity", "condition", "grade", "language", "printing"):
            assert getattr(before, field) == getattr(after, field), field
