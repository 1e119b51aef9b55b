import json
from datetime import date

import pytest

from pokewatch.checks import Check
from pokewatch.errors import QualityError
from pokewatch.market.collect_report import CollectReport

DAYS = (date(2025, 10, 22), date(2025, 10, 23))


def stale(day: date) -> Check:
    return Check("staleness", "at most 98%", f"100% on {day}", False, "the day repeats")


def test_a_report_without_held_days_passes_and_is_json() -> None:
    report = CollectReport("tcgcsv", DAYS, written=[DAYS[0]], missing=[DAYS[1]])

    report.require_no_held()
    assert json.loads(json.dumps(report.to_json()))["missing"] == ["2025-10-23"]


def test_held_days_are_an_error_with_the_reason() -> None:
    report = CollectReport("tcgcsv", DAYS, held={DAYS[1]: (stale(DAYS[1]),)})

    with pytest.raises(QualityError, match=r"1 of 2 days.*staleness is 100% on 2025-10-23, wanted"):
        report.require_no_held()


def test_held_days_of_one_reason_are_reported_once_with_their_range() -> None:
    days = [date(2025, 10, day) for day in range(1, 13)]
    held: dict[date, tuple[Check, ...]] = {day: (stale(day),) for day in days}
    held[days[5]] = (Check("coverage", "at least 90%", "50% on 2025-10-06", False, "missing"),)
    report = CollectReport("tcgcsv", tuple(days), held=held)

    assert [check.actual for check in report.held_checks()] == [
        "100% on 2025-10-01 (and the same check failed on all 5 held days to 2025-10-05)",
        "50% on 2025-10-06",
        "100% on 2025-10-07 (and the same check failed on all 6 held days to 2025-10-12)",
    ]


@pytest.mark.parametrize(("rows", "counted"), [(1_200, "1,200 rows"), (2, "2 rows"), (1, "1 row")])
def test_a_failed_quarantine_names_the_most_frequent_reason(rows: int, counted: str) -> None:
    failed = Check("quarantine", "at most 2.0%", "100.0% on 2025-10-23", False, "share of rows")
    held: dict[date, tuple[Check, ...]] = {DAYS[1]: (failed, stale(DAYS[1]))}
    report = CollectReport("file", DAYS, held=held)
    report.quarantined.update([*["the currency is not USD or EUR"] * rows, "no card_id"])

    assert [check.why for check in report.held_checks()] == [
        f"share of rows; {counted} of the run: the currency is not USD or EUR",
        "the day repeats",
    ]
