"""The plots of a card as a real browser draws them."""

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser

from pokewatch.pipeline import plots
from pokewatch.pipeline.vega_lite import Spec
from tests.conftest import ROOT
from tests.gateway.web.browsing import browser

__all__ = ["browser"]

DAYS = [date(2026, 1, 20) + timedelta(days=day) for day in range(40)]


def every_plot() -> list[Spec]:
    curve = {"equity": [1.0 + day / 100 for day in range(len(DAYS))]}
    backtest = {
        "policy": "threshold",
        "dates": [day.isoformat() for day in DAYS],
        "followed": {"trades": 1234},
        "curve": curve,
        "random_curve": curve,
        "buy_everything_curve": curve,
    }
    series = [
        {"day": day.isoformat(), "e_value": 2.0, "e_opposite": 0.5}
        | {"low": -0.1, "mean": 0.0, "high": 0.1}
        for day in DAYS
    ]
    bins = [{"signal": "BUY", "confidence": 0.5, "observed": 0.6, "observed_ci": (0, 1), "n": 9}]
    models = [{"model": "last", "rmae_last": 0.9, "rmae_last_ci": (0.8, 1.0)}]
    return [
        *plots.days_plots(DAYS, {"price": [None, *range(39)]}),
        plots.error_plot([{"price_band": "1-5", "liquidity": "slow", "rmae_last": 0.9}], "USD"),
        *plots.experiment_plots(series, 20.0),
        plots.reliability_plot(bins),
        plots.coverage_plot(DAYS, [9] * 40, [10] * 40, 0.86, 0.94),
        plots.drift_plot(DAYS, [0.1] * 40, 1.0),
        plots.candidates_plot(models, "last"),
        plots.equity_plot(backtest),
    ]


@pytest.mark.slow
def test_every_plot_is_drawn_and_fits_a_narrow_screen(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from card_html import style
    from metaflow.cards import VegaChart
    from metaflow.plugins.cards.card_modules.basic import BlankCard

    task = SimpleNamespace(pathspec="PokeWatchFlow/1/gate/2")
    parts = [each.render() for each in (style(), *map(VegaChart, every_plot()))]
    (tmp_path / "card.html").write_text(BlankCard(components=parts).render(task))

    page = browser.new_page(viewport={"width": 390, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "card.html").as_uri())
    drawn = page.locator("svg.marks")
    drawn.nth(len(every_plot()) - 1).wait_for()
    assert errors == []
    boxes = [box for each in drawn.all() if (box := each.bounding_box())]
    assert len(boxes) == len(every_plot())
    assert all(300 <= box["width"] <= 390 for box in boxes), boxes
    assert page.get_by_text("20 Jan").first.is_visible()
    page.close()
