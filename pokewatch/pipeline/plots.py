"""The plots on the flows' cards: Vega-Lite specifications from plain data."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pokewatch.pipeline.vega_lite import (
    Spec,
    colours,
    days_axis,
    days_line,
    finite,
    iso,
    line_at,
    plot,
    quantity,
    rows_of,
)

INK, GOOD, BAD, MUTED = "#1f3a5f", "#2a9d8f", "#c8553d", "#9aa5b1"
_COLOURS = (INK, GOOD, "#e9a23b", BAD, MUTED)


def days_plots(days: Sequence[date], series: Mapping[str, Sequence[float | None]]) -> list[Spec]:
    """Plot each series over the days in a plot of its own."""
    plots = []
    for number, (name, values) in enumerate(series.items()):
        found = [finite(value) for value in values]
        scale = {"zero": False} if any(found) else {"domain": [0, 1]}
        colour = {"color": _COLOURS[number % len(_COLOURS)]}
        line = days_line(days, quantity("value", scale=scale), colour)
        plots.append(plot(name, 130, [line], rows_of(day=iso(days), value=found)))
    return plots


def error_plot(groups: Sequence[Mapping[str, Any]], currency: str) -> Spec:
    """Plot the error relative to the last price's by price band and liquidity."""
    liquidities = list(dict.fromkeys(group["liquidity"] for group in groups))
    rows = [
        {
            "band": group["price_band"],
            "liquidity": group["liquidity"],
            "error": finite(group.get("rmae_last")),
        }
        for group in groups
    ]
    colour = colours("liquidity", zip(liquidities, _COLOURS, strict=False))
    bars = {
        "mark": "bar",
        "encoding": {
            "x": {"field": "band", "type": "ordinal", "sort": None}
            | {"axis": {"title": f"price, {currency}", "labelAngle": 0}},
            "xOffset": {"field": "liquidity", "sort": liquidities},
            "y": quantity("error"),
            "color": colour | {"legend": {"title": "liquidity"}},
        },
    }
    layers = [bars, line_at("y", 1.0, BAD)]
    return plot("error relative to the last price", 260, layers, rows, "below 1 is better")


def experiment_plots(series: Sequence[Mapping[str, Any]], threshold: float) -> list[Spec]:
    """Plot the evidence for and against a challenger, and the difference with its interval."""
    days = [date.fromisoformat(each["day"]) for each in series]
    names = {"e_value": ("better", GOOD), "e_opposite": ("worse", BAD)}
    evidence = [
        # Evidence may be too small for a number other than zero, which has no logarithm.
        {"day": each["day"], "evidence": finite(each[name]) or None, "that it is": label}
        for name, (label, _) in names.items()
        for each in series
    ]
    scale = {"type": "log"}
    colour = colours("that it is", names.values())
    lines = days_line(days, quantity("evidence", scale=scale), color=colour)
    difference = [
        {"day": each["day"]} | {name: finite(each[name]) for name in ("low", "mean", "high")}
        for each in series
    ]
    band = {
        "mark": {"type": "area", "color": INK, "opacity": 0.15},
        "encoding": {"x": days_axis(days), "y": quantity("low"), "y2": {"field": "high"}},
    }
    mean = days_line(days, quantity("mean"), {"color": INK})
    return [
        plot(
            "evidence about the challenger",
            190,
            [lines, line_at("y", threshold, MUTED)],
            evidence,
            "that it is better, or worse",
        ),
        plot(
            "mean difference",
            190,
            [band, mean, line_at("y", 0.0, MUTED)],
            difference,
            "with its 95% interval",
        ),
    ]


def reliability_plot(bins: Sequence[Mapping[str, Any]]) -> Spec:
    """Plot the share of correct signals against their confidence.

    The diagonal is perfect calibration; the size of a dot is the number of cases.
    """
    rows = []
    for each in bins:
        low, high = each.get("observed_ci") or (None, None)
        rows.append(
            {
                "signal": each["signal"],
                "confidence": finite(each["confidence"]),
                "observed": finite(each["observed"]),
                "low": finite(low),
                "high": finite(high),
                "size": 22 + 15 * math.log10(each["n"]) ** 2,
            }
        )
    share = {"scale": {"domain": [0, 1.02], "nice": False}}
    x = quantity("confidence", "confidence", format=".1f", tickCount=5) | share
    y = quantity("observed", "share that was correct", format=".1f", tickCount=5) | share
    found = {row["signal"] for row in rows}
    by_signal = {"BUY": GOOD, "SELL": BAD, "HOLD": INK}
    colour = colours("signal", [each for each in by_signal.items() if each[0] in found])
    ends = {
        "mark": {"type": "rule", "opacity": 0.6},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour},
    }
    dots = {
        "mark": {"type": "circle", "opacity": 0.8},
        "encoding": {
            "x": x,
            "y": y,
            "color": colour,
            "size": {"field": "size", "type": "quantitative", "scale": None, "legend": None},
        },
    }
    diagonal = {
        "data": {"values": [{"confidence": 0, "observed": 0}, {"confidence": 1, "observed": 1}]},
        "mark": {"type": "line", "color": MUTED, "strokeWidth": 1, "strokeDash": [4, 3]},
        "encoding": {"x": x, "y": y},
    }
    return plot("reliability of the confidence", 340, [diagonal, ends, dots], rows)


def coverage_plot(
    origins: Sequence[date],
    covered: Sequence[float],
    valued: Sequence[float],
    low: float,
    high: float,
) -> Spec:
    """Plot the share of later prices inside the 90% interval, by origin."""
    shares = [
        finite(inside / of) if of else None for inside, of in zip(covered, valued, strict=True)
    ]
    least = min([0.8, *(share - 0.02 for share in shares if share is not None)])
    y = quantity("coverage", scale={"domain": [least, 1.0], "nice": False})
    band = {
        "data": {"values": [{"low": low, "high": high}]},
        "mark": {"type": "rect", "color": GOOD, "opacity": 0.12},
        "encoding": {"y": y | {"field": "low"}, "y2": {"field": "high"}},
    }
    line = days_line(origins, y, {"color": INK, "point": {"color": INK, "size": 25}})
    layers = [band, line_at("y", 0.9, GOOD), line]
    rows = rows_of(day=iso(origins), coverage=shares)
    return plot("coverage of the 90% interval", 220, layers, rows, "by day of the forecast")


def drift_plot(days: Sequence[date], degrees: Sequence[float], limit: float) -> Spec:
    """Plot the drift of incoming prices by day, as a share of a shift far beyond chance."""
    shades = [BAD if degree >= limit else INK for degree in degrees]
    drift = [finite(each) for each in degrees]
    most = max([1.25 * limit, *(1.1 * each for each in drift if each is not None)])
    bars = {
        "mark": "bar",
        "encoding": {
            "x": days_axis(days) | {"timeUnit": "utcyearmonthdate"},
            "y": quantity("drift", scale={"domain": [0, most], "nice": False}),
            "color": {"field": "colour", "type": "nominal", "scale": None},
        },
    }
    rows = rows_of(day=iso(days), drift=drift, colour=shades)
    layers = [bars, line_at("y", limit, BAD)]
    return plot("largest drift of incoming prices", 190, layers, rows, "1 is far beyond chance")


def candidates_plot(evaluations: Sequence[Mapping[str, Any]], chosen: str) -> Spec:
    """Plot each candidate's error relative to the last price, with its two-way 95% interval."""
    rows = []
    for each in evaluations:
        error, interval = each["rmae_last"], each["rmae_last_ci"]
        if error is None or interval is None:
            error, interval = None, (None, None)
        selected = each["model"] == chosen
        rows.append(
            {
                "model": each["model"] + (" (selected)" if selected else ""),
                "error": finite(error),
                "low": finite(interval[0]),
                "high": finite(interval[1]),
                "colour": INK if selected else MUTED,
            }
        )
    models = {
        "field": "model",
        "type": "nominal",
        "scale": {"domain": [row["model"] for row in rows]},
        "axis": {"title": None, "labelLimit": 220, "grid": False},
    }
    colour = {"field": "colour", "type": "nominal", "scale": None}
    x = quantity("error", scale={"zero": False})
    ends = {
        "mark": {"type": "rule", "strokeWidth": 5, "opacity": 0.5, "strokeCap": "round"},
        "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": models}
        | {"color": colour},
    }
    dots = {
        "mark": {"type": "circle", "size": 70, "opacity": 1},
        "encoding": {"x": x, "y": models, "color": colour},
    }
    layers = [ends, dots, line_at("x", 1.0, BAD)]
    title = "error relative to the last price"
    return plot(title, 40 * len(rows), layers, rows, "with its 95% interval")


def equity_plot(backtest: Mapping[str, Any]) -> Spec:
    """Plot the growth of 1 by following a policy, by random signals and by buying every card."""
    days = [date.fromisoformat(day) for day in backtest["dates"]]
    curves = {
        "curve": ("signals followed", INK),
        "random_curve": ("random signals", MUTED),
        "buy_everything_curve": ("buy every card", BAD),
    }
    rows = [
        {"day": day, "value": finite(value), "way": label}
        for name, (label, _) in curves.items()
        for day, value in zip(backtest["dates"], backtest[name]["equity"], strict=True)
    ]
    colour = colours("way", curves.values()) | {"legend": {"columns": 2}}
    lines = days_line(days, quantity("value", scale={"zero": False}), color=colour)
    trades = backtest["followed"]["trades"]
    title = f"{backtest['policy'].replace('_', ' ')}: value of 1 invested"
    layers = [line_at("y", 1.0, MUTED), lines]
    return plot(title, 240, layers, rows, f"{trades:,} trades")
