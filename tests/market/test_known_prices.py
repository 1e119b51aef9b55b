"""Files whose prices are off by a factor from those of a lake with the same products."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from pokewatch.cli.main import main
from pokewatch.errors import SourceError
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.known_prices import scale_fault
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources.file import FileSource
from pokewatch.settings import SourceSettings
from tests.market.test_known_cards import card

NOW = datetime(2026, 11, 25, tzinfo=UTC)
PRICES = {101: 123.45, 102: 0.15, 103: 7.0, 104: 55.1, 105: 2.99}


@pytest.fixture
def lakes(home: Path) -> Path:
    """A home whose tcgcsv lake has prices of five products."""
    lake = Lake(home / "lake" / "tcgcsv")
    cards = [card(product, "Normal", slug=f"c{product}") for product in PRICES]
    lake.write_catalog(pa.Table.from_pylist(cards, schema=CARD_SCHEMA))
    for day in (date(2026, 11, 23), date(2026, 11, 24)):
        lake.write_day(day, _prices(day))
    return home / "lake"


def _prices(day: date) -> pa.Table:
    rows = [
        {
            "card_id": f"tcgplayer-{product}-normal",
            "date": day,
            "market_price": price,
            "currency": "USD",
            "source": "tcgcsv",
            "observed_at": NOW,
        }
        for product, price in PRICES.items()
    ]
    return pa.Table.from_pylist(rows, schema=PRICE_SCHEMA)


def written(
    folder: Path, factor: float, header: str = "card_id,date,price", places: int = 0
) -> Path:
    rows = [
        f"tcgplayer-{product}-normal,2026-11-24,{1.1 * factor * price:.{places}f}"
        for product, price in PRICES.items()
    ]
    path = folder / "panel.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def opened(path: Path, **settings: str) -> FileSource:
    return FileSource(SourceSettings.read(**settings), path, now=lambda: NOW)


@pytest.mark.parametrize("factor", [0.01, 100.0, 1000.0])
def test_prices_off_by_a_factor_are_not_stored(lakes: Path, tmp_path: Path, factor: float) -> None:
    source = opened(written(tmp_path, factor, places=4))
    lake = Lake(lakes / source.lake_name)
    with pytest.raises(SourceError) as raised:
        collect(source, lake, requested_days(source, None, None, None), today=NOW.date())
    assert f"about {factor:g} times those of 5 cards of the lake tcgcsv" in str(raised.value)
    assert "POKEWATCH_FILE_UNIT=cents" in str(raised.value)
    assert lake.days() == []


@pytest.mark.parametrize(
    ("settings", "first"), [({"file_unit": "cents"}, 135.8), ({"file_unit": "whole"}, 13580.0)]
)
def test_the_unit_can_be_named(
    lakes: Path, tmp_path: Path, settings: dict[str, str], first: float
) -> None:
    source = opened(written(tmp_path, 100.0), **settings)
    lake = Lake(lakes / source.lake_name)
    report = collect(source, lake, requested_days(source, None, None, None), today=NOW.date())
    assert report.held == {}
    assert lake.day(date(2026, 11, 24))["market_price"][0].as_py() == pytest.approx(first)
    cents = [warning for warning in report.warnings if "in cents, divided by 100" in warning]
    assert len(cents) == (settings["file_unit"] == "cents")


def test_usual_prices_and_products_that_are_not_known_pass(lakes: Path, tmp_path: Path) -> None:
    known = [Lake(lakes / "tcgcsv")]
    assert opened(written(tmp_path, 1.0, places=2)).scale_fault(known) is None
    assert opened(written(tmp_path, 12.0, places=2)).scale_fault(known) is None  # graded cards
    assert opened(written(tmp_path, 100.0)).scale_fault(known) is not None
    assert opened(written(tmp_path, 100.0), file_currency="EUR").scale_fault(known) is None
    few = "\n".join(written(tmp_path, 100.0).read_text().splitlines()[:3])
    (tmp_path / "panel.csv").write_text(few)
    assert opened(tmp_path / "panel.csv").scale_fault(known) is None
    assert opened(written(tmp_path, 100.0)).scale_fault([]) is None


def test_the_newest_price_of_each_card_is_compared(lakes: Path, tmp_path: Path) -> None:
    path = written(tmp_path, 1.0, places=2)
    early = written(tmp_path, 100.0).read_text().replace("2026-11-24", "2026-11-20")
    later = written(tmp_path, 1.0, places=2).read_text().splitlines()[1:]
    path.write_text("\n".join([early.strip(), *later]) + "\n")
    source = opened(path)
    known = [Lake(lakes / "tcgcsv")]
    assert scale_fault(source.table.prices, source.table.cards, known) is None


def test_check_shows_the_factor(lakes: Path, tmp_path: Path) -> None:
    path = written(tmp_path, 100.0)
    shown = CliRunner().invoke(
        main, ["collect", "--source", "file", "--file", str(path), "--check"]
    )
    assert shown.exit_code == 0, shown.output
    assert "about 100 times those of 5 cards of the lake tcgcsv" in shown.output
    assert "every market price is a whole number" in shown.output
