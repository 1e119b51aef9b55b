"""The plots on the flows' cards: matplotlib figures from plain data."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import ceil, floor
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, GOOD, BAD, MUTED = "#1f3a5f", "#2a9d8f", "#c8553d", "#9aa5b1"
_EPOCH = date(1970, 1, 1)  # of matplotlib's dates
_MOST_LABELS = 7
_MONTHS_FROM = 200  # days of an axis that is labelled by month
_COLOURS = (INK, GOOD, "#e9a23b", BAD, MUTED)


def days_plot(days: Sequence[date], series: Mapping[str, Sequence[float | None]]) -> Figure:
    """Plot each series over the days in its own panel."""
    figure, panels = _figure(len(series), height=1.7)
    for axes, (name, values), colour in zip(panels, series.items(), _COLOURS, strict=False):
        axes.plot(np.asarray(days), np.asarray(values, dtype=float), color=colour, linewidth=1.4)
        axes.set_title(name, loc="left", fontsize=10)
        axes.margins(x=0.01)
        if not np.any(axes.lines[0].get_ydata()):
            axes.set_ylim(0, 1)
    _label_days(panels[-1])
    return figure


def error_plot(groups: Sequence[Mapping[str, Any]], currency: str) -> Figure:
    """Plot the error relative to the last price's by price band and liquidity."""
    figure, (axes,) = _figure(1, height=2.8)
    bands = list(dict.fromkeys(group["price_band"] for group in groups))
    liquidities = list(dict.fromkeys(group["liquidity"] for group in groups))
    width = 0.8 / max(1, len(liquidities))
    for number, liquidity in enumerate(liquidities):
        found = {group["price_band"]: group for group in groups if group["liquidity"] == liquidity}
        values = [found.get(band, {}).get("rmae_last") or np.nan for band in bands]
        places = np.arange(len(bands)) + (number - (len(liquidities) - 1) / 2) * width
        axes.bar(places, values, width * 0.92, label=liquidity, color=_COLOURS[number])
    axes.axhline(1.0, color=BAD, linewidth=1, linestyle="--")
    axes.set_xticks(range(len(bands)), bands)
    axes.set_xlabel(f"price, {currency}")
    axes.set_title("error relative to the last price (below 1 is better)", loc="left", fontsize=10)
    axes.legend(
        title="liquidity",
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )
    return figure


def experiment_plot(series: Sequence[Mapping[str, Any]], threshold: float) -> Figure:
    """Plot the evidence for and against a challenger, and the difference with its interval."""
    figure, (evidence, difference) = _figure(2, height=2.2)
    days = np.asarray([date.fromisoformat(each["day"]) for each in series])

    def values(name: str) -> np.ndarray:
        return np.asarray([each[name] for each in series], dtype=float)

    for name, label, colour in (("e_value", "better", GOOD), ("e_opposite", "worse", BAD)):
        evidence.plot(days, values(name), color=colour, linewidth=1.4, label=label)
    evidence.axhline(threshold, color=MUTED, linewidth=1, linestyle="--")
    evidence.set_yscale("log")
    evidence.set_title("evidence that the challenger is better, or worse", loc="left", fontsize=10)
    evidence.legend(frameon=False, fontsize=8)
    difference.fill_between(days, values("low"), values("high"), color=INK, alpha=0.15)
    difference.plot(days, values("mean"), color=INK, linewidth=1.4)
    difference.axhline(0.0, color=MUTED, linewidth=1, linestyle="--")
    difference.set_title("mean difference, with its 95% interval", loc="left", fontsize=10)
    _label_days(difference)
    return figure


def reliability_plot(bins: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot the share of correct signals against their confidence.

    The diagonal is perfect calibration; the size of a dot is the number of cases.
    """
    figure, (axes,) = _figure(1, height=3.4, width=4.6)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
    for signal, colour in (("BUY", GOOD), ("SELL", BAD), ("HOLD", INK)):
        found = [each for each in bins if each["signal"] == signal]
        if found:
            confidence, observed = (
                [each["confidence"] for each in found],
                [each["observed"] for each in found],
            )
            sizes = [12 + 8 * np.log10(each["n"]) ** 2 for each in found]
            axes.scatter(confidence, observed, sizes, color=colour, label=signal, alpha=0.8)
            for each in found:
                ends = each.get("observed_ci")
                if ends is not None:
                    axes.plot([each["confidence"]] * 2, ends, color=colour, linewidth=1, alpha=0.6)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="share that was correct")
    axes.set_title("reliability of the confidence", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def coverage_plot(
    origins: Sequence[date],
    covered: Sequence[float],
    valued: Sequence[float],
    low: float,
    high: float,
) -> Figure:
    """Plot the share of later prices inside the 90% interval, by origin."""
    figure, (axes,) = _figure(1, height=2.4)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.asarray(covered, dtype=float) / np.asarray(valued, dtype=float)
    axes.axhspan(low, high, color=GOOD, alpha=0.12, linewidth=0)
    axes.axhline(0.9, color=GOOD, linewidth=1, linestyle="--")
    axes.plot(np.asarray(origins), share, color=INK, marker="o", markersize=3, linewidth=1.2)
    axes.set_ylim(min([0.8, *(share[np.isfinite(share)] - 0.02)]), 1.0)
    axes.set_title("coverage of the 90% interval, by day of the forecast", loc="left", fontsize=10)
    _label_days(axes)
    return figure


def drift_plot(days: Sequence[date], degrees: Sequence[float], limit: float) -> Figure:
    """Plot the drift of incoming prices by day, as a share of a shift far beyond chance."""
    figure, (axes,) = _figure(1, height=2.2)
    axes.bar(
        np.asarray(days),
        np.asarray(degrees),
        color=[BAD if degree >= limit else INK for degree in degrees],
        width=0.8,
    )
    axes.axhline(limit, color=BAD, linewidth=1, linestyle="--")
    axes.set_ylim(0, max(1.25 * limit, 1.1 * max(degrees, default=0.0)))
    axes.set_title(
        "largest drift of incoming prices (1 is far beyond chance)", loc="left", fontsize=10
    )
    _label_days(axes)
    return figure


def candidates_plot(evaluations: Sequence[Mapping[str, Any]], chosen: str) -> Figure:
    """Plot each candidate's error relative to the last price, with its two-way 95% interval."""
    figure, (axes,) = _figure(1, height=0.9 + 0.45 * len(evaluations))
    for row, each in enumerate(evaluations):
        value, interval = each["rmae_last"], each["rmae_last_ci"]
        if value is None or interval is None:
            continue
        colour = INK if each["model"] == chosen else MUTED
        axes.plot(
            interval, [row, row], color=colour, linewidth=3, alpha=0.5, solid_capstyle="round"
        )
        axes.plot([value], [row], "o", color=colour)
    axes.axvline(1.0, color=BAD, linewidth=1, linestyle="--")
    axes.set_yticks(
        range(len(evaluations)),
        [
            each["model"] + (" (selected)" if each["model"] == chosen else "")
            for each in evaluations
        ],
    )
    axes.invert_yaxis()
    axes.set_ylim(len(evaluations) - 0.5, -0.5)
    axes.set_title("error relative to the last price, with 95% interval", loc="left", fontsize=10)
    return figure


def equity_plot(backtest: Mapping[str, Any]) -> Figure:
    """Plot the growth of 1 by following a policy, by random signals and by buying every card."""
    figure, (axes,) = _figure(1, height=2.6)
    days = np.asarray([date.fromisoformat(day) for day in backtest["dates"]])
    curves = (
        ("curve", "signals followed", INK),
        ("random_curve", "random signals", MUTED),
        ("buy_everything_curve", "buy every card", BAD),
    )
    for name, label, colour in curves:
        axes.plot(days, backtest[name]["equity"], color=colour, label=label, linewidth=1.4)
    axes.axhline(1.0, color=MUTED, linewidth=1, linestyle="--")
    axes.set_title(
        f"{backtest['policy']}: value of 1 invested, {backtest['followed']['trades']:,} trades",
        loc="left",
        fontsize=10,
    )
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    _label_days(axes)
    return figure


def _label_days(axes: Axes) -> None:
    """Label at most seven days, or the first days of months: more would overlap."""
    low, high = axes.get_xlim()
    days = [_EPOCH + timedelta(days=number) for number in range(ceil(low), floor(high) + 1)]
    monthly = len(days) > _MONTHS_FROM
    if monthly:
        days = [day for day in days if day.day == 1]
    shown = days[:: max(1, ceil(len(days) / _MOST_LABELS))]
    labels = [f"{day:%b %Y}" if monthly else f"{day.day} {day:%b}" for day in shown]
    axes.set_xticks([(day - _EPOCH).days for day in shown], labels)


def _figure(panels: int, height: float, width: float = 8.0) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height * panels), layout="constrained", dpi=110)
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8)
        each.grid(axis="y", color="#e6e9ed", linewidth=0.6)
        each.set_axisbelow(True)
    return figure, list(axes)
