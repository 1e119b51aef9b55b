import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pokewatch.gateway.web.charts import (
    HEIGHT,
    WIDTH,
    Chart,
    Fan,
    FanPoint,
    Line,
    nice_ticks,
    svg,
)

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]


def paths(text: str, name: str) -> list[str]:
    return [
        node.get("d", "") for node in ET.fromstring(text).iter("path") if node.get("class") == name
    ]


def labels(text: str, kind: str) -> list[ET.Element]:
    return [node for node in ET.fromstring(text).iter("text") if node.get("class") == kind]


@pytest.mark.parametrize(
    ("values", "prefix", "shown"),
    [
        ([0.6, 0.8], "$", ["$0.60", "$0.65", "$0.70", "$0.75", "$0.80"]),
        ([0.2, 1.0], "$", ["$0.20", "$0.40", "$0.60", "$0.80", "$1.00"]),
        ([0.01, 0.02], "$", ["$0.01", "$0.02"]),
        ([0.0, 400.0], "$", ["$0", "$100", "$200", "$300", "$400"]),
        ([99.0, 101.0], "", ["99.0", "99.5", "100.0", "100.5", "101.0"]),
    ],
)
def test_amounts_have_cents_or_none(values: list[float], prefix: str, shown: list[str]) -> None:
    drawn = svg(Chart("t", DAYS[:2], [Line("market", [*values])], prefix=prefix))
    assert [node.text for node in labels(drawn, "tick")] == shown


@pytest.mark.parametrize("days", range(1, 5))
def test_no_label_of_a_day_is_cut_off(days: int) -> None:
    drawn = svg(Chart("t", DAYS[:days], [Line("market", [1.0] * days)]))
    places = [float(node.get("x", "")) for node in labels(drawn, "tick day")]
    assert places == sorted(set(places))
    assert 20 <= places[0] <= places[-1] <= WIDTH - 20


def test_a_gap_breaks_a_line_and_a_lone_value_is_a_dash() -> None:
    drawn = svg(Chart("t", DAYS, [Line("market", [1.0, 2.0, None, 3.0])]))
    (path,) = paths(drawn, "line market")
    assert re.sub(r"[\d.]+ [\d.]+", "p", path) == "MpLpMph.1"


def test_the_band_has_a_piece_for_each_run() -> None:
    band = ([1.0, 1.0, None, 1.0], [2.0, 2.0, 2.0, 2.0])
    drawn = svg(Chart("t", DAYS, [Line("market", [1.5] * 4)], band))
    (path,) = paths(drawn, "band")
    assert path.count("Z") == 2


def test_the_forecast_fans_out_from_the_last_day_to_each_horizon() -> None:
    fan = Fan(2.0, [FanPoint(1, 2.2, 1.5, 3.0), FanPoint(3, 2.5, 1.0, 4.0)])
    drawn = svg(Chart("t", DAYS, [Line("market", [2.0] * 4)], fan=fan))
    (line,) = paths(drawn, "line market")
    (forecast,) = paths(drawn, "line forecast")
    (area,) = paths(drawn, "fan")
    start, near, far = forecast[1:].split("L")
    assert line.rsplit("L", 1)[1] == start
    corners = [corner.split(" ") for corner in area[1:-1].split("L")]
    across = [x for x, _ in corners]
    assert across == [at.split(" ")[0] for at in (start, near, far, far, near)]
    heights = [float(y) for _, y in corners]
    assert heights[2] < heights[1] < heights[0] < heights[4] < heights[3]
    assert ET.fromstring(drawn).get("data-span") == "6"


def test_texts_are_escaped() -> None:
    drawn = svg(Chart('"><script>&', DAYS, [Line("market", [1.0] * 4)], prefix="<"))
    assert "<script" not in drawn
    assert ET.fromstring(drawn).get("aria-label") == '"><script>&'


def test_a_chart_without_days_says_so() -> None:
    assert "No prices" in svg(Chart("t", [], [Line("market", [])]))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 50, 100]),
        (3, 3, [2.5, 3, 3.5]),
        (0, 0, [0, 0.01]),
        (0.01, 0.02, [0.01, 0.02]),
        (96.2, 103.9, [96, 98, 100, 102, 104]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    found = nice_ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert {round(tick, 6) for tick in found} >= set(ticks[1:-1])


prices = st.one_of(st.none(), st.floats(0.01, 1e6))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(prices, prices, prices), min_size=1, max_size=4))
def test_everything_is_inside_the_picture(
    rows: list[tuple[float | None, float | None, float | None]],
) -> None:
    market, lower, upper = map(list, zip(*rows, strict=True))
    drawn = svg(
        Chart(
            "t",
            DAYS[: len(rows)],
            [Line("market", market)],
            (lower, upper),
            Fan(5, [FanPoint(7, 5, 1, 9)]),
        )
    )
    for node in ET.fromstring(drawn).iter("path"):
        for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", node.get("d", "")):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT
