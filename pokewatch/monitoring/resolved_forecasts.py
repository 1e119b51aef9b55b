"""Resolved forecasts of a track record as arrays, with their terms in the scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pokewatch.decision import SIGNALS
from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.evaluation.scores import Forecasts, terms
from pokewatch.valuation.evaluation.two_way import Clusters
from pokewatch.valuation.intervals import band_of
from pokewatch.valuation.panel import Bools, Floats
from pokewatch.valuation.track_record import MonthFile, open_month

Codes = NDArray[np.int64]

_TERMS = (
    "error",
    "error_last",
    "percentage_error",
    "signed_error",
    "covered",
    "interval",
    "valued",
)
_NAMES = ("slug", "name", "set_name")
_ARRAYS = (
    "origin",
    "band",
    "last",
    "fair",
    "outcome",
    "signal",
    "confidence",
    "buy",
    "sell",
    "judged",
)
_PRICES = (
    "last_price",
    "fair_price",
    "lower",
    "upper",
    "outcome",
    "confidence",
    "buy_threshold_pct",
    "sell_threshold_pct",
)
_COLUMNS = (
    "issued_on",
    "horizon",
    "currency",
    "model_version",
    "card_id",
    "median7",
    "status",
    "signal",
    *_PRICES,
    *_NAMES,
)


@dataclass(frozen=True, slots=True)
class ResolvedForecasts:
    """The forecasts [m] of one horizon whose day has come, in the order of their issues.

    `origin` [m] are indices into `issued_on` and `versions`, one for each issue, and `card` [m]
    into `cards`, whose `names` are by card id. Forecasts that were `judged` have a price then and
    later; the `terms` of others are 0. `band` is an index into BANDS, and -1 without a price then;
    `signal` is an index into SIGNALS, and `buy` and `sell` are the thresholds it was given by.
    """

    horizon: int
    issued_on: tuple[date, ...]
    versions: tuple[str, ...]
    cards: tuple[str, ...]
    names: Mapping[str, Mapping[str, str]]
    origin: Codes
    card: Codes
    band: Codes
    last: Floats
    fair: Floats
    outcome: Floats
    signal: Codes
    confidence: Floats
    buy: Floats
    sell: Floats
    judged: Bools
    terms: dict[str, Floats]

    def clusters(self) -> Clusters:
        return Clusters(self.origin, self.card, self.issued_on, self.horizon)


def read_resolved(
    folder: Path, files: Sequence[MonthFile], currency: str
) -> list[ResolvedForecasts]:
    """Return the forecasts in a currency from the files of the months, by horizon.

    Raise TrackRecordError.
    """
    groups: dict[int, list[pa.Table]] = {}
    for file in files:
        with open_month(folder, file) as opened:
            for table in _issues(opened, currency):
                groups.setdefault(table["horizon"][0].as_py(), []).append(table)
    return [_of_horizon(horizon, groups[horizon]) for horizon in sorted(groups)]


def _issues(opened: pq.ParquetFile, currency: str) -> list[pa.Table]:
    found = [
        opened.read_row_group(number, columns=list(_COLUMNS))
        for number in range(opened.num_row_groups)
    ]
    return [table for table in found if table.num_rows and table["currency"][0].as_py() == currency]


def _of_horizon(horizon: int, tables: Sequence[pa.Table]) -> ResolvedForecasts:
    cards, codes = _codes([table["card_id"] for table in tables])
    parts = [_arrays(table, number) for number, table in enumerate(tables)]

    def joined(name: str) -> Any:
        return np.concatenate([part[name] for part in parts])

    return ResolvedForecasts(
        horizon=horizon,
        issued_on=tuple(table["issued_on"][0].as_py() for table in tables),
        versions=tuple(table["model_version"][0].as_py() for table in tables),
        cards=cards,
        card=codes,
        names=_names(tables),
        terms={name: joined(name) for name in _TERMS},
        **{name: joined(name) for name in _ARRAYS},
    )


def _names(tables: Sequence[pa.Table]) -> dict[str, dict[str, str]]:
    """Return the newest names of every card."""
    found: dict[str, dict[str, str]] = {}
    for table in reversed(tables):
        cards = table["card_id"].to_pylist()
        new = [row for row, card in enumerate(cards) if card not in found]
        rows = table.select(list(_NAMES)).take(pa.array(new, pa.int64())).to_pylist()
        found |= dict(zip((cards[row] for row in new), rows, strict=True))
    return found


def _codes(columns: Sequence[pa.ChunkedArray]) -> tuple[tuple[str, ...], Codes]:
    chunks = [chunk for column in columns for chunk in column.chunks]
    encoded = pa.chunked_array(chunks).combine_chunks().dictionary_encode()
    return tuple(encoded.dictionary.to_pylist()), np.asarray(encoded.indices, dtype=np.int64)


def _arrays(table: pa.Table, number: int) -> dict[str, np.ndarray]:
    prices = {name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in _PRICES}
    last, outcome = prices["last_price"], prices["outcome"]
    judged = (last > 0) & (outcome > 0)
    signals = {signal: code for code, signal in enumerate(SIGNALS)}
    return {
        "origin": np.full(table.num_rows, number, dtype=np.int64),
        "band": np.where(np.isfinite(last), band_of(last), -1),
        "last": last,
        "fair": prices["fair_price"],
        "outcome": outcome,
        "signal": np.array([signals[each] for each in table["signal"].to_pylist()], dtype=np.int64),
        "confidence": prices["confidence"],
        "buy": prices["buy_threshold_pct"],
        "sell": prices["sell_threshold_pct"],
        "judged": judged,
        **_terms(table, prices, judged),
    }


def _terms(table: pa.Table, prices: dict[str, Floats], judged: Bools) -> dict[str, Floats]:
    """Return the terms of the rows [m], by the code that evaluates models."""
    rows, codes = np.flatnonzero(judged), {text: code for code, text in enumerate(STATUSES)}
    none = np.zeros(len(rows), dtype=np.int64)
    status = [codes[each] for each in table["status"].take(pa.array(rows)).to_pylist()]
    median7 = np.asarray(table["median7"].to_numpy(), dtype=np.float64)[rows]
    found = terms(
        Forecasts(
            origin=none,
            card=rows,
            last=prices["last_price"][rows],
            median7=median7,
            truth=prices["outcome"][rows],
            fair=prices["fair_price"][rows],
            lower=prices["lower"][rows],
            upper=prices["upper"][rows],
            status=np.array(status, dtype=np.int8),
            band=none,
            liquidity=none,
            renewed=np.zeros(len(rows), dtype=np.bool_),
            distribution=np.empty((len(rows), 0)),
        )
    )
    spread = {name: np.zeros(len(judged)) for name in _TERMS}
    for name, values in spread.items():
        values[rows] = found[name]
    return spread
