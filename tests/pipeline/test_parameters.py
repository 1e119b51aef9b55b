"""Invalid parameters and settings of the flows: one line, before a run has a task."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pokewatch.errors import SettingsError
from pokewatch.pipeline.parameters import (
    check_backfill,
    default_candidates,
    parse_candidates,
    parse_day,
    parse_horizons,
)
from pokewatch.valuation.models import MODELS
from tests.integration.flow import FLOW, run_flow

pytestmark = pytest.mark.integration

TOMORROW = "2999-01-01"
MONITOR, BACKFILL = FLOW.with_name("monitor.py"), FLOW.with_name("backfill.py")
MARKETS = FLOW.with_name("markets.py")

MARKET = [
    (("--source", "nope"), "--source 'nope'", "tcgcsv"),
    (("--source", ""), "--source ''", "tcgcsv"),
    (("--source", "pokemon_price_tracker"), "POKEMON_PRICE_API_KEY", "key"),
    (("--source", "file"), "--source file", "--file PATH"),
    (("--source", "file", "--file", "missing.csv"), "missing.csv'", "does not exist"),
    (("--source", "file", "--file", "."), "--file", "not a regular file"),
    (("--source", "file", "--file", "other.csv"), "other.csv", "POKEWATCH_FILE_COLUMNS"),
    (("--source", "file", "--file", "binary.parquet"), "binary.parquet", "read as Parquet"),
    (("--file", "prices.csv"), "--file 'prices.csv'", "--source file"),
    (("--categories", "magic"), "--categories 'magic'", "--source tcgcsv"),
    (("--source", "tcgcsv", "--categories", "chess"), "'chess' is not a known game", "Magic (1)"),
    (("--cards", "0"), "--cards 0", "from 1 to"),
    (("--cards", "10000000000"), "--cards 10000000000", "from 1 to"),
    (("--seed", "-1"), "--seed -1", "from 0 to"),
    (("--market", "Magic"), "market 'Magic'", "lower-case letters"),
    (("--market", "chess-tcgplayer-usd"), "unknown market", "magic-tcgplayer-usd"),
    (("--market", "file-mine"), "market 'file-mine'", "POKEWATCH_MARKET_FILES"),
    (("--market", "simulated-1", "--seed", "2"), "--seed 2", "--market simulated-1 determines it"),
]
DAYS = [
    (("--days", "0"), "--days 0", "from 1 to"),
    (("--days", "999999999999"), "--days 999999999999", "from 1 to"),
    (("--to", "soon"), "--to 'soon'", "a date such as"),
    (("--to", TOMORROW), f"--to {TOMORROW}", "use a day from"),
    (("--to", "1999-12-31"), "--to 1999-12-31", "use a day from"),
]
OWN = [
    (("--horizon", "0"), "--horizon 0", "from 1 to"),
    (("--horizon", "100000"), "--horizon 100000", "from 1 to"),
    (("--other-horizons", "a month"), "--other-horizons 'a month'", "numbers of days"),
    (("--other-horizons", "7,0"), "--other-horizons '7,0'", "from 1 to"),
    (("--candidates", "oracle"), "--candidates 'oracle'", "rolling_mean"),
    (("--candidates", ","), "--candidates ','", "rolling_mean"),
    (("--shards", "0"), "--shards 0", "from 1 to"),
    (("--shards", "101"), "--shards 101", "from 1 to"),
    (("--replace", "perhaps"), "--replace", "perhaps is not a valid boolean"),
    (("--tidy", "perhaps"), "--tidy", "perhaps is not a valid boolean"),
]
RANGES = [
    (("--from", "soon", "--to", "2025-01-02"), "--from 'soon'", "a date such as"),
    (("--from", "", "--to", "2025-01-02"), "--from ''", "a date such as"),
    (("--from", "2025-01-01", "--to", "x"), "--to 'x'", "a date such as"),
    (("--from", "2025-02-01", "--to", "2025-01-01"), "--from 2025-02-01", "use an earlier day"),
    (("--from", "1999-01-01", "--to", "2025-01-01"), "--from 1999-01-01", "split it into runs"),
    (("--from", "2023-12-01", "--to", "2024-03-01"), "--from 2023-12-01", "use a day from"),
    (("--from", "2025-01-01", "--to", TOMORROW), f"--to {TOMORROW}", "split it into runs"),
    (("--from", "2998-12-31", "--to", TOMORROW), "--from 2998-12-31", "use a day from"),
]
RANGE = ("--from", "2025-01-01", "--to", "2025-01-02")
SEVERAL = [
    (("--market", ""), "market ''", "name 1 to 100, here or in POKEWATCH_MARKETS"),
    (("--market", "simulated-1,chess"), "market 'chess'", "magic-tcgplayer-usd"),
    (("--market", "simulated-1", "--file", "x.csv"), "--file x.csv", "determines it"),
    (("--market", "simulated-1", "--horizon", "0"), "--horizon 0", "from 1 to"),
]
CASES: list[tuple[Any, ...]] = (
    [(FLOW, *case) for case in (*MARKET, *DAYS, *OWN)]
    + [(MONITOR, *case) for case in (*MARKET, *DAYS)]
    + [(BACKFILL, (*RANGE, *given), *words) for given, *words in MARKET]
    + [(BACKFILL, *case) for case in RANGES]
    + [(MARKETS, *case) for case in SEVERAL]
)
SETTINGS = {
    "POKEWATCH_GATE_MAPE": ("x", "use a number"),
    "POKEWATCH_NOTIFY_WINDOW_HOURS": ("-1", "at least 0"),
    "POKEWATCH_RETRAIN": ("perhaps", "true or false"),
    "POKEWATCH_BOOKS_KEPT": ("2.5", "a whole number"),
    "POKEWATCH_FILE_CURRENCY": ("DM", "'USD' or 'EUR'"),
    "POKEWATCH_HOME": ("/proc/none", "a writable folder"),
}
FAST = {
    (FLOW, ("--source", "nope")),
    (FLOW, ("--horizon", "0")),
    (MONITOR, ("--to", "soon")),
    (MARKETS, ("--market", "simulated-1,chess")),
}


def _param(flow: Path, given: tuple[str, ...], *words: str) -> object:
    marks = () if (flow, given) in FAST else pytest.mark.slow
    return pytest.param(flow, given, words, id=" ".join((flow.stem, *given)), marks=marks)


def _require_one_line(run: object, words: tuple[str, ...]) -> None:
    output = run.stdout  # type: ignore[attr-defined]
    errors = [line for line in output.splitlines() if "rror" in line]
    assert len(errors) == 1, output
    assert errors[0].startswith("Error: ")
    assert [text for text in words if text not in errors[0]] == []
    assert run.returncode in (2, 4)  # type: ignore[attr-defined]
    assert re.findall("Traceback|Task is starting|Workflow", output) == []


@pytest.mark.parametrize(("flow", "given", "words"), [_param(*case) for case in CASES])
def test_an_invalid_parameter_is_one_line(
    flow: Path, given: tuple[str, ...], words: tuple[str, ...], home: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "binary.parquet").write_bytes(b"PAR1 and no more")
    _require_one_line(run_flow(tmp_path, "run", *given, flow=flow), words)
    assert not (home / "lake").exists()
    runs = list((home / ".metaflow").glob("*Flow/*"))
    assert runs == [], "it would be the latest run, which `card view` and `resume` take"


def test_an_invalid_setting_is_one_line(home: Path, tmp_path: Path) -> None:
    for variable, (value, wanted) in SETTINGS.items():
        run = run_flow(tmp_path, "run", flow=MONITOR, **{variable: value})
        _require_one_line(run, (variable, repr(value), wanted))


@pytest.mark.slow
def test_every_parameter_of_every_flow_is_in_the_table(tmp_path: Path) -> None:
    for flow in (FLOW, MONITOR, BACKFILL):
        shown = run_flow(tmp_path, "run", "--help", flow=flow).stdout.split("--tag")[0]
        tried = {word for each, given, *_ in CASES if each == flow for word in given}
        assert set(re.findall(r"^ +(--[a-z-]+)", shown, re.MULTILINE)) <= tried, flow.name


@pytest.mark.slow
def test_an_error_inside_a_step_is_one_line_of_its_log(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("card_id,date,price\n,,\n")
    run = run_flow(tmp_path, "run", "--source", "file", "--file", "empty.csv")
    assert run.returncode != 0
    assert "Error: file: " in run.stdout
    assert "no row can be used" in run.stdout
    assert "Traceback" not in run.stdout


def test_lists_and_days_are_read() -> None:
    assert parse_candidates("rolling_mean, local_level,rolling_mean") == [
        "rolling_mean",
        "local_level",
    ]
    assert default_candidates("file") == list(MODELS)
    assert default_candidates("simulated") == [name for name in MODELS if name != "boosted"]
    assert parse_horizons("30, 60") == [30, 60]
    assert parse_horizons("") == []
    assert parse_day("2026-01-31") == date(2026, 1, 31)
    assert parse_day("") is None


def test_other_digits_and_other_forms_of_days_are_refused() -> None:
    with pytest.raises(SettingsError, match="--other-horizons '\u0667': use"):
        parse_horizons("\u0667")
    for text in ("20260131", "2026-W05-6"):
        with pytest.raises(SettingsError, match=f"--to '{text}': use a date such as"):
            parse_day(text)


def test_today_is_the_last_day_of_a_backfill() -> None:
    today = datetime.now(UTC).date()
    assert check_backfill(first_day=str(today), last_day=str(today)) == (today, today)
    with pytest.raises(SettingsError, match="--from"):
        check_backfill(first_day="9" * 5000, last_day=str(today))
