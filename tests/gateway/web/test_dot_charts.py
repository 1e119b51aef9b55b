import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.gateway.web.dot_charts import (
    HEIGHT,
    WIDTH,
    Dot,
    DotChart,
    dot_svg,
    place,
    spread_labels,
)

SHARES = st.floats(0, 1)


def paths(text: str, name: str) -> list[str]:
    return [
        node.get("d", "")
        for node in ET.fromstring(text).iter("path")
        if (node.get("class") or "").split()[0] == name
    ]


def chart(*dots: Dot, **more: bool) -> DotChart:
    return DotChart('a "title" <b>', dots, [(0.5, "2026-01")], (0.9, 0.9), **more)


def test_a_figure_without_an_interval_has_no_whisker() -> None:
    drawn = dot_svg(chart(Dot(0.2, 0.8), Dot(0.7, 0.8, 0.7, 0.95)))
    assert (len(paths(drawn, "dot")), len(paths(drawn, "whisker"))) == (2, 1)


def test_signals_differ_in_shape_too() -> None:
    drawn = dot_svg(chart(*(Dot(0.5, 0.5, name=name) for name in ("buy", "sell", "hold"))))
    shapes = {re.sub(r"M[\d. ]+?m", "", path) for path in paths(drawn, "dot")}
    assert len(shapes) == 3


@given(
    st.lists(
        st.tuples(SHARES, st.floats(0.0, 5.0), st.floats(0, 1)).map(
            lambda given: Dot(given[0], given[1], given[1] - given[2], given[1] + given[2])
        ),
        min_size=1,
        max_size=30,
    ),
    st.booleans(),
)
def test_everything_is_inside_the_picture(dots: list[Dot], percent: bool) -> None:
    drawn = dot_svg(chart(*dots, percent=percent))
    root = ET.fromstring(drawn)
    assert root.get("aria-label") == 'a "title" <b>'
    for path in paths(drawn, "whisker"):
        (x, top), bottom = (
            re.findall(r"M([\d.-]+) ([\d.-]+)V", path)[0],
            re.findall(r"V([\d.-]+)", path)[0],
        )
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(bottom) <= HEIGHT
        assert 0 <= float(top) <= HEIGHT


def test_a_chart_without_dots_is_a_note() -> None:
    assert "nothing to show" in dot_svg(chart())


@pytest.mark.parametrize("count", [1, 8, 9, 36, 400])
def test_labels_do_not_collide(count: int) -> None:
    labels = spread_labels([f"{number}" for number in range(count)])
    assert 1 <= len(labels) <= 8
    assert labels[0] == (place(0, count), "0")
    assert spread_labels([]) == []
