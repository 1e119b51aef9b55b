"""`pokewatch collect`."""

from datetime import date
from pathlib import Path

import pytest

from tests.cli.commands import run, run_json


def test_collect_shows_what_it_understands_of_a_file(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "preise.csv"
    rows = ["Karte;Datum;Preis (€);Notiz", "a-1;13.09.2026;1.012,50;", "b-2;14.09.2026;-;neu"]
    path.write_bytes("\n".join([*rows, "Summe;;1.012,50;"]).encode("cp1252"))
    result = run("collect", "--source", "file", "--file", str(path), "--check")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "read as text (cp1252), separated by semicolons, header in line 1",
        "  card_id: column 'Karte'",
        "  date: column 'Datum'",
        "  market_price: column 'Preis (€)'",
        "  not used: 'Notiz'",
        "dates: day.month.year",
        "numbers: a decimal comma",
        "prices: 1; cards: 1; days: 1, 2026-09-13 to 2026-09-13; currency: EUR",
        "  2026-09-13  a-1  1,012.50 EUR",
        "1 row left out: the row is a total, not a card (first in line 4: 'Summe')",
        "1 row left out: market_price is a placeholder, and the row has no other price "
        "(first in line 3: '-')",
    ]
    assert not (home / "lake").exists()


def test_collect_takes_single_days_and_collects_them_again(home: Path) -> None:
    days = ("--day", "2026-01-08", "--day", "2026-01-10")
    first = run_json("collect", "--cards", "120", *days)
    again = run_json("collect", "--cards", "120", *days, "--refresh")

    assert first["written"] == again["unchanged"] == ["2026-01-08", "2026-01-10"]
    refused = run("collect", "--cards", "120", *days, "--days", "3")
    assert refused.exit_code == 2
    assert "--day cannot be used with --from, --to or --days" in refused.output


def test_collect_twice_changes_nothing(home: Path) -> None:
    arguments = ("collect", "--days", "3", "--cards", "120", "--to", "2026-01-10")
    first, second = run_json(*arguments), run_json(*arguments)
    assert (len(first["written"]), len(second["written"]), len(second["unchanged"])) == (3, 0, 3)


@pytest.mark.parametrize("export_format", ["parquet", "csv"])
def test_collect_exports_one_file(export_format: str, home: Path, tmp_path: Path) -> None:
    output = tmp_path / f"prices.{export_format}"
    result = run(
        "collect",
        "--days",
        "2",
        "--cards",
        "120",
        "--to",
        "2026-01-10",
        "--format",
        export_format,
        "--output",
        str(output),
    )
    assert result.exit_code == 0, result.output
    assert output.stat().st_size > 1000
    found = run_json(
        "collect", "--days", "2", "--cards", "120", "--to", "2026-01-10", "--format", export_format
    )
    assert Path(found["exported"]).parent == home / "exports"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "nowhere"), "--source 'nowhere': "),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "2026-02-02"),
        (("--days", "0"), "--days"),
        (("--source", "file", "--file", "missing.csv"), "missing.csv"),
        (("--source", "pokemon_price_tracker"), "POKEMON_PRICE_API_KEY"),
        (("--file", "prices.csv"), "--source simulated reads no file; add --source file"),
        (("--categories", "3"), "--source simulated has no categories; add --source tcgcsv"),
        (("--output", "a.xlsx"), "--output 'a.xlsx' does not end in .parquet or .csv: rename it"),
    ],
    ids=["source", "range", "days", "file", "key", "no file", "no categories", "output"],
)
def test_collect_names_what_is_wrong(arguments: tuple[str, ...], message: str, home: Path) -> None:
    result = run("collect", *arguments)
    assert result.exit_code in (2, 4)
    assert message in result.stderr


def test_the_current_day_is_never_requested(home: Path) -> None:
    found = run_json("collect", "--days", "1", "--cards", "120")
    assert found["written"][0] < date.today().isoformat()  # only an upper bound  # noqa: DTZ011
