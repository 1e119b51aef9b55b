import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from pokewatch.decision import Distribution
from pokewatch.decision.distribution import Z_LEVELS
from pokewatch.errors import BookError, UnknownCardError
from pokewatch.valuation.book import STATUSES, PriceBook, write_book
from pokewatch.valuation.book.layout import FILES, MANIFEST, VERSION
from pokewatch.valuation.book.quotes import CompactDistributions
from tests.serving.books import FACTS, catalog, make_book, rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "book"


@pytest.fixture
def book(folder: Path) -> PriceBook:
    return PriceBook.open(folder, make_book(folder))


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


def test_every_value_comes_back(book: PriceBook) -> None:
    written = rows(40)
    for position, card in enumerate(written.card_id):
        history = book.history(card)
        np.testing.assert_array_equal(history.date, written.dates)
        np.testing.assert_array_equal(history.market, np.round(written.market[position], 2))
        np.testing.assert_allclose(history.low, written.low[position], atol=0.005)
        for name in ("fair", "lower", "upper"):
            np.testing.assert_allclose(
                getattr(history, name), getattr(written, name)[position], rtol=2e-7, atol=5e-7
            )
        assert history.status.tolist() == [STATUSES[code] for code in written.status[position]]


def test_facts(book: PriceBook) -> None:
    assert book.facts == FACTS
    assert (book.first_day, book.last_day, len(book.cards)) == (
        date(2026, 1, 1),
        date(2026, 1, 5),
        40,
    )


def test_a_book_says_that_its_model_was_not_evaluated(tmp_path: Path) -> None:
    facts = replace(FACTS, not_evaluated="registered without evaluation: 1 day of prices")
    digest = make_book(tmp_path / "book", facts=facts)
    assert PriceBook.open(tmp_path / "book", digest).facts == facts


def test_look_up_equals_history_on_every_day(book: PriceBook) -> None:
    for at, day in enumerate(book.dates):
        quotes = book.look_up(book.cards.ids, np.full(40, day))
        histories = [book.history(card) for card in book.cards.ids]
        for name in ("market", "low", "fair", "lower", "upper"):
            np.testing.assert_array_equal(
                getattr(quotes, name), [getattr(history, name)[at] for history in histories]
            )
        assert quotes.status.tolist() == [history.status[at] for history in histories]


def test_latest_equals_the_last_day(book: PriceBook) -> None:
    asked = ["card_3", "nobody", "card_1"]
    latest, dated = (
        book.look_up(asked),
        book.look_up(asked, days("2026-01-05", "2026-01-05", "NaT")),
    )
    for name in ("position", "date", "market", "low", "fair", "lower", "upper"):
        np.testing.assert_array_equal(getattr(latest, name), getattr(dated, name))
    assert latest.status.tolist() == dated.status.tolist() == ["ok", "unknown_card", "thin_history"]


def test_a_day_that_the_book_lacks(book: PriceBook) -> None:
    quotes = book.look_up(
        ["card_3"] * 3 + ["nobody"], days("2025-12-31", "2026-07-01", "2026-01-03", "2025-12-31")
    )
    assert quotes.date.astype(str).tolist() == ["NaT", "2026-01-05", "2026-01-03", "NaT"]
    assert quotes.status.tolist() == ["unknown_date", "ok", "ok", "unknown_card"]
    assert np.isnan(quotes.market).tolist() == [True, False, False, True]


def test_a_gap_resolves_to_the_day_before_it(tmp_path: Path) -> None:
    gapped = replace(rows(2, 3), dates=days("2026-01-01", "2026-01-05", "2026-01-09"))
    book = PriceBook.open(tmp_path / "gap", write_book(tmp_path / "gap", catalog(2), gapped, FACTS))
    assert book.look_up(["card_0"] * 2, days("2026-01-04", "2026-01-08")).date.astype(
        str
    ).tolist() == ["2026-01-01", "2026-01-05"]


def test_history_between_days(book: PriceBook) -> None:
    assert book.history("card_0", date(2026, 1, 2), date(2026, 1, 3)).market.tolist() == [
        1.01,
        1.02,
    ]
    assert len(book.history("card_0", date(2027, 1, 1)).date) == 0


def test_history_of_an_unknown_card_names_similar_ones(book: PriceBook) -> None:
    with pytest.raises(UnknownCardError) as card:
        book.history("card_x3")
    assert "card_3" in card.value.near


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_verified(folder: Path, name: str) -> None:
    digest = make_book(folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BookError, match=f"{name} is damaged"):
        PriceBook.open(folder, digest)


@pytest.mark.parametrize("size", [0, 1, 100], ids=str)
def test_a_truncated_file_is_refused(folder: Path, size: int) -> None:
    digest = make_book(folder)
    os.truncate(folder / "fair.arrow", size)
    with pytest.raises(BookError, match=r"fair\.arrow"):
        PriceBook.open(folder, digest)


def test_a_missing_book_or_file_is_refused(folder: Path, tmp_path: Path) -> None:
    digest = make_book(folder)
    with pytest.raises(BookError, match="cannot be read"):
        PriceBook.open(tmp_path / "elsewhere", digest)
    (folder / "low.arrow").unlink()
    with pytest.raises(BookError, match=r"low\.arrow cannot be read"):
        PriceBook.open(folder, digest)


def test_another_digest(folder: Path) -> None:
    make_book(folder)
    with pytest.raises(BookError, match="not the requested one"):
        PriceBook.open(folder, "0" * 64)


def test_a_linked_file(folder: Path, tmp_path: Path) -> None:
    digest = make_book(folder)
    (folder / "low.arrow").rename(tmp_path / "low.arrow")
    (folder / "low.arrow").symlink_to(tmp_path / "low.arrow")
    with pytest.raises(BookError, match="is a symbolic link"):
        PriceBook.open(folder, digest)


def edited(folder: Path, **changes: object) -> str:
    """Rewrite the manifest, as a forger would, and return its new digest."""
    manifest = json.loads((folder / MANIFEST).read_bytes()) | changes
    content = json.dumps(manifest).encode()
    (folder / MANIFEST).write_bytes(content)
    return sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "recipe"}, "not a price book"),
        (
            {"version": VERSION + 1},
            f"price book format {VERSION + 1}; this PokeWatch reads format {VERSION}",
        ),
        ({"files": {"../../etc/passwd": "0" * 64}}, "is not a file of a price book"),
        ({"files": None}, "lists no files"),
        ({"files": {}}, "has no SHA-256 for cards.arrow"),
        ({"cards": 41}, "does not contain 41 rows"),
        ({"days": 7}, "does not contain 7 rows"),
        ({"horizon": "soon"}, "not the manifest of a price book"),
        ({"metrics": []}, "not the manifest of a price book"),
    ],
    ids=[
        "foreign",
        "newer",
        "traversal",
        "no files",
        "no digests",
        "cards",
        "days",
        "horizon",
        "metrics",
    ],
)
def test_a_manifest_that_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    make_book(folder)
    with pytest.raises(BookError, match=message):
        PriceBook.open(folder, edited(folder, **changes))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"], ids=repr)
def test_a_manifest_that_is_none(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BookError):
        PriceBook.open(folder, sha256(content).hexdigest())


def test_files_of_another_kind_under_right_digests(folder: Path) -> None:
    make_book(folder)
    for name in ("fair.arrow", "cards.arrow"):
        (folder / name).write_bytes((folder / "low.arrow").read_bytes())
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    with pytest.raises(BookError, match=r"cards.arrow does not contain 40 rows of card_id"):
        PriceBook.open(folder, edited(folder, files=files))
    (folder / "cards.arrow").write_bytes(b"not arrow")
    files["cards.arrow"] = sha256(b"not arrow").hexdigest()
    with pytest.raises(BookError, match=r"cards.arrow is not an Arrow file"):
        PriceBook.open(folder, edited(folder, files=files))


def test_opening_needs_no_pandas(folder: Path) -> None:
    digest = make_book(folder)
    code = (
        "import sys; from pathlib import Path; from pokewatch.valuation.book import PriceBook;"
        f"book = PriceBook.open(Path({str(folder)!r}), {digest!r}); book.look_up(['card_3']);"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_distribution_is_around_the_fair_price_with_an_atom_at_the_last_quote(
    folder: Path,
) -> None:
    book = PriceBook.open(folder, make_book(folder, 4, scale=1.1, unquoted=(2,)))
    asked = ["card_3", "card_2", "card_1", "nobody"]
    for quotes in (book.look_up(asked), book.look_up(asked, days(*["2026-01-05"] * 4))):
        found = Distribution.from_array(quotes.distribution)
        # card 2 has no quote on the last day: its last one is that of the day before
        np.testing.assert_array_equal(found.last_price, [4.04, 3.03, np.nan, np.nan])
        np.testing.assert_array_equal(found.unchanged, [0.5, 0.5, np.nan, np.nan])
        assert found.floor[0] == 0.005
        np.testing.assert_allclose(
            found.log_quantiles[0], np.log(4.04 * 1.1) + 0.125 * Z_LEVELS, atol=2e-5
        )
        assert np.isnan(found.log_quantiles[2:]).all()


def test_a_book_of_intervals_alone_has_no_distribution(folder: Path) -> None:
    digest = write_book(folder, catalog(3), replace(rows(3), spreads=None), FACTS)
    assert np.isnan(PriceBook.open(folder, digest).look_up(["card_0", "card_2"]).distribution).all()


@pytest.mark.parametrize("largest", [16.9, 60.0, 1e6])
def test_compact_distributions_are_those_given(largest: float) -> None:
    logs = np.sort(np.random.default_rng(0).uniform(-largest, largest, (500, 7)), axis=1).round(5)
    rows = np.column_stack((np.full((500, 3), 0.123456), logs))
    rows[7] = np.nan
    compact = CompactDistributions(rows)
    np.testing.assert_array_equal(compact.take(slice(-1)), rows[:-1])
    np.testing.assert_array_equal(compact.take(np.array([7, 0, -1])), rows[[7, 0, -1]])
    assert (compact._logs.dtype == np.float32) == (largest < 64)


def test_days_without_distributions(tmp_path: Path) -> None:
    book = PriceBook.open(tmp_path, make_book(tmp_path))
    days = np.array(["2026-01-03", "2025-01-01"], dtype="datetime64[D]")
    found = book.look_up(["card_4", "card_5"], days, distributions=False)
    assert found.status.tolist() == ["ok", "unknown_date"]
    assert np.isnan(found.distribution).all()
