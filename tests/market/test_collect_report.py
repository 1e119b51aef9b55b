import json
from datetime import date

import pytest

from pokewatch.checks import Check
from pokewatch.errors import QualityError
from pokewatch.market.collect_report import CollectReport

DAYS = (date(2025, 10, 22), date(2025, 10, 23))
STALE = Check("staleness", "at most 98%", "100%", False, "the day repeats the one before")


def test_a_report_without_held_days_passes_and_is_json() -> None:
    report = CollectReport("tcgcsv", DAYS, written=[DAYS[0]], missing=[DAYS[1]])

    report.require_no_held()
    assert json.loads(json.dumps(report.to_json()))["missing"] == ["2025-10-23"]


def test_held_days_are_an_error_with_the_reason() -> None:
    report = CollectReport("tcgcsv", DAYS, held={DAYS[1]: (STALE,)})

    with pytest.raises(QualityError, match=r"1 of 2 days.*2025-10-23.*staleness is 100%"):
        report.require_no_held()
