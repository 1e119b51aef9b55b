from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.decision import Distribution
from pokewatch.decision.distribution import is_malformed
from pokewatch.errors import BookError
from pokewatch.valuation.book import BookRows, PriceBook, write_book, writer
from pokewatch.valuation.book.layout import COLUMNS, from_cents, to_cents
from tests.serving.books import FACTS, catalog, forecasts, make_book, rows


def blocks_of(all_rows: BookRows, size: int) -> list[BookRows]:
    def part(start: int) -> BookRows:
        cut = slice(start, start + size)
        names = ("market", "low", "fair", "lower", "upper", "status")
        assert all_rows.spreads is not None
        spreads = {
            name: getattr(all_rows.spreads, name)[cut] for name in ("scale", "unchanged", "shape")
        }
        return replace(
            all_rows,
            card_id=all_rows.card_id[cut],
            **{name: getattr(all_rows, name)[cut] for name in names},
            spreads=replace(all_rows.spreads, **spreads),
        )

    return [part(start) for start in range(0, len(all_rows.card_id), size)]


def test_the_same_input_is_the_same_book(tmp_path: Path) -> None:
    first, second = make_book(tmp_path / "a"), make_book(tmp_path / "b")
    assert first == second
    assert {f.name: f.read_bytes() for f in (tmp_path / "a").iterdir()} == {
        f.name: f.read_bytes() for f in (tmp_path / "b").iterdir()
    }


def test_blocks_make_the_same_book_as_all_at_once(tmp_path: Path) -> None:
    whole = make_book(tmp_path / "whole", 40)
    parts = iter(blocks_of(rows(40), 7))
    written = write_book(tmp_path / "parts", catalog(40), parts, FACTS, forecasts(rows(40)))
    assert written == whole


def test_the_space_of_a_raw_file_is_free_once_its_column_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sealed(book: Path, name: str, cards: int, days: int) -> None:
        seal(book, name, cards, days)
        maps = Path("/proc/self/maps").read_text().splitlines()
        mapped.extend(line for line in maps if f"{name}.raw" in line and str(tmp_path) in line)
        names.append(name)

    mapped: list[str] = []
    names: list[str] = []
    seal = writer._seal
    monkeypatch.setattr(writer, "_seal", sealed)
    make_book(tmp_path / "book")
    assert names == list(COLUMNS)
    assert mapped == []


def test_writing_the_same_book_again_changes_nothing(tmp_path: Path) -> None:
    assert make_book(tmp_path / "book") == make_book(tmp_path / "book")
    assert [f.name for f in tmp_path.iterdir()] == ["book"]


def test_another_book_is_not_overwritten(tmp_path: Path) -> None:
    digest = make_book(tmp_path / "book")
    with pytest.raises(BookError, match="cannot be moved to"):
        make_book(tmp_path / "book", scale=1.1)
    PriceBook.open(tmp_path / "book", digest)


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tcgplayer-39-normal"):
        write_book(tmp_path / "book", catalog(39), rows(40), FACTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "fair",
            np.nan,
            "must be positive and finite: card tcgplayer-3-normal on 2026-01-03 has nan",
        ),
        ("fair", -1.0, "must be positive and finite"),
        ("lower", 99.0, "an interval must contain its fair price"),
        ("upper", 0.5, "an interval must contain its fair price"),
        ("status", 9, "index into STATUSES"),
        ("market", -0.02, "within 0 and 21,474,836.47"),
        ("low", np.inf, "within 0 and 21,474,836.47"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_rows_that_make_no_sense(tmp_path: Path, name: str, value: float, message: str) -> None:
    given_rows = rows(5)
    getattr(given_rows, name)[3, 2] = value
    with pytest.raises(ValueError, match=message):
        write_book(tmp_path / "book", catalog(5), given_rows, FACTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"dates": np.array(["2026-01-02", "2026-01-01"], dtype="datetime64[D]")},
            "strictly ascending",
        ),
        ({"dates": np.array([], dtype="datetime64[D]")}, "at least one day"),
        ({"market": np.ones((2, 3))}, "market must have the shape"),
        ({"card_id": ["tcgplayer-0-normal"] * 2}, "only once"),
    ],
    ids=["descending", "no days", "shape", "twice"],
)
def test_rows_that_do_not_fit_together(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_book(tmp_path / "book", catalog(2), replace(rows(2, 2), **change), FACTS)  # type: ignore[arg-type]


def test_blocks_of_other_days(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must have the same days"):
        write_book(tmp_path / "book", catalog(2), [rows(2, 3), rows(2, 4)], FACTS)


def test_a_book_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one card"):
        write_book(tmp_path / "book", catalog(2), [], FACTS)


@given(st.integers(1, 2**31 - 1))
def test_prices_come_back_to_the_cent(cents: int) -> None:
    price = cents / 100
    assert from_cents(to_cents(np.array([price, np.nan])))[0] == price
    assert np.isnan(from_cents(to_cents(np.array([np.nan])))[0])


def test_a_price_below_half_a_cent_is_none(tmp_path: Path) -> None:
    given_rows = rows(2)
    given_rows.market[0, :], given_rows.market[1, -1] = 0.004, 0.006
    folder = tmp_path / "book"
    book = PriceBook.open(folder, write_book(folder, catalog(2), given_rows, FACTS))
    found = book.latest(distributions=True)
    np.testing.assert_array_equal(found.market, [np.nan, 0.01])
    assert not is_malformed(Distribution.from_array(found.distribution)).any()


@pytest.mark.parametrize("shape", [-2, 2])
def test_a_shape_that_a_book_does_not_have(tmp_path: Path, shape: int) -> None:
    given_rows = rows(5)
    assert given_rows.spreads is not None
    given_rows.spreads.shape[3, 2] = shape
    with pytest.raises(ValueError, match="a shape must be -1 or one of 2: card tcgplayer-3-normal"):
        write_book(tmp_path / "book", catalog(5), given_rows, FACTS)
