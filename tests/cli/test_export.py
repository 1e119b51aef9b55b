"""`pokewatch export`."""

from pathlib import Path

import pandas as pd
import pytest

from pokewatch.valuation.book import PriceBook
from tests.cli.commands import run, run_json


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_export_writes_all_cards(book: PriceBook, tmp_path: Path, file_format: str) -> None:
    path = tmp_path / f"cards.{file_format}"
    found = run_json("export", "--out", str(path))
    frame = pd.read_parquet(path) if file_format == "parquet" else pd.read_csv(path)
    assert found["rows"] == len(frame) == len(book.cards)
    assert found["to"] == str(book.last_day)
    day = str(book.dates[-2])
    more = run_json("export", "--out", str(path), "--history", f"{day}..")
    assert (more["rows"], more["from"]) == (2 * len(book.cards), day)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("2026-01", "is not a range of days such as"),
        ("1999-01-01..1999-01-02", "no prices from 1999-01-01 to 1999-01-02"),
        ("2026-01-02..2026-01-01", "the first day, 2026-01-02, is after the last"),
    ],
)
def test_export_names_days_that_do_not_exist(
    history: str, message: str, champion_home: Path, tmp_path: Path
) -> None:
    result = run("export", "--out", str(tmp_path / "x.csv"), "--history", history)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_export_names_a_format_that_it_does_not_write(champion_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "cards.xlsx"
    result = run("export", "--out", str(path))
    assert result.exit_code == 2
    assert "--out 'cards.xlsx' does not end in .parquet or .csv: rename it, or add" in result.stderr
    assert not path.exists()
    assert run("export", "--out", str(path), "--format", "csv").exit_code == 0
    assert run("export", "--out", str(tmp_path / "cards")).exit_code == 0


def test_export_to_a_folder_that_does_not_exist_is_an_error(champion_home: Path) -> None:
    result = run("export", "--out", "/nowhere/x.csv")
    assert result.exit_code == 1
    assert "/nowhere/x.csv cannot be written: No such file" in result.stderr
