from datetime import date, timedelta

import pytest
from matplotlib.figure import Figure

from pokewatch.pipeline import plots

FIRST = date(2026, 1, 20)


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of neighbouring labels of the lowest days axis that overlap."""
    figure.canvas.draw()
    axes = figure.axes[-1]
    low, high = axes.get_xlim()
    labels = [
        label
        for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if low <= tick <= high and label.get_text()
    ]
    boxes = [label.get_window_extent() for label in labels]
    return [
        (labels[at].get_text(), labels[at + 1].get_text())
        for at in range(len(labels) - 1)
        if boxes[at].x1 + 4 > boxes[at + 1].x0
    ]


@pytest.mark.parametrize("count", [1, 2, 7, 36, 60, 126, 400])
def test_the_labels_of_days_do_not_overlap(count: int) -> None:
    days = [FIRST + timedelta(days=day) for day in range(count)]
    assert overlaps(plots.days_plot(days, {"price": [1.0] * count, "rows": [0.0] * count})) == []
    assert overlaps(plots.coverage_plot(days, [9] * count, [10] * count, 0.86, 0.94)) == []
    assert overlaps(plots.drift_plot(days, [0.1] * count, 1.0)) == []


def labels(count: int) -> list[str]:
    days = [FIRST + timedelta(days=day) for day in range(count)]
    figure = plots.drift_plot(days, [0.1] * count, 1.0)
    figure.canvas.draw()
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_days_are_labelled_by_day_and_long_spans_by_month() -> None:
    assert labels(1) == ["20 Jan"]
    assert labels(36)[:4] == ["18 Jan", "24 Jan", "30 Jan", "5 Feb"]
    assert labels(400)[:2] == ["Jan 2026", "Apr 2026"]


def test_the_price_bands_have_a_currency() -> None:
    groups = [{"price_band": "1-5", "liquidity": "slow", "rmae_last": 0.9}]
    assert plots.error_plot(groups, "EUR").axes[0].get_xlabel() == "price, EUR"
