import msgspec
import pytest

from pokewatch.gateway.api.record_checks import check_record
from pokewatch.gateway.api.record_schemas import TrackRecordAnswer
from tests.gateway.conftest import Gateway


@pytest.fixture(scope="module")
def answer(gateway: Gateway) -> dict[str, object]:
    found: dict[str, object] = gateway.get("/track-record").json()
    return found


PART = {
    "key": "2026-01",
    "from": "2026-01-01",
    "to": "2026-01-31",
    "issues": 2,
    "periods": 5.0,
    "cards": 3,
    "forecasts": 6,
    "judged": 5,
    "error": None,
    "coverage": {"value": 0.9, "low": None, "high": None},
    "mape": None,
    "bias": None,
}
FILE = {
    "month": "2026-01",
    "name": "2026-01-0123456789abcdef.parquet",
    "sha256": "0" * 64,
    "bytes": 1,
    "rows": 6,
    "issues": 2,
}
HORIZON = {
    "horizon": 7,
    "overall": PART,
    "months": [PART],
    "versions": [PART],
    "price_bands": [],
    "reliability": [],
    "worst_misses": [],
    "backtests": [],
}


def check(answer: dict[str, object], horizon: dict[str, object], **more: object) -> None:
    content = answer | {"horizons": [horizon], "files": [FILE]} | more
    check_record(msgspec.convert(content, TrackRecordAnswer), {})


def test_a_record_that_agrees_with_itself(answer: dict[str, object]) -> None:
    check(answer, HORIZON)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"months": []}, "months have 0 of 6"),
        ({"versions": [PART, PART]}, "versions have 12 of 6"),
        ({"price_bands": [PART, PART]}, "price_bands have 12 of 6"),
        ({"overall": PART | {"judged": 7}}, "7 of 6 forecasts are judged"),
        ({"overall": PART | {"from": "x"}}, "'from' has 'x'"),
        ({"overall": PART | {"coverage": {"value": 1.2, "low": None, "high": None}}}, "is 1.2"),
    ],
)
def test_forecasts_may_not_be_missing_or_twice(
    answer: dict[str, object], fault: dict[str, object], cause: str
) -> None:
    with pytest.raises(ValueError, match=cause):
        check(answer, HORIZON | fault)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"files": []}, "the files have 0 forecasts, the summary 6"),
        ({"files": [FILE, FILE]}, "a month has two files"),
        ({"measured_on": "yesterday"}, "'measured_on'"),
    ],
)
def test_files_and_days(answer: dict[str, object], fault: dict[str, object], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        check(answer, HORIZON, **fault)


def test_names_of_cards_become_links(answer: dict[str, object]) -> None:
    miss = {
        "card_id": "c1",
        "slug": "//evil",
        "name": "",
        "set_name": "",
        "issued_on": "2026-01-01",
        "model_version": "1",
        "last_price": 1.0,
        "fair_price": 1.0,
        "outcome": 1.0,
        "inside": True,
    }
    with pytest.raises(ValueError, match="neither an id nor a slug"):
        check(answer, HORIZON | {"worst_misses": [miss]})
