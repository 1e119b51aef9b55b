"""Checks of model server replies: each row answers its request, and every value is valid.

All raise ValueError. They run on every call, so they compare whole columns, and rows only where a
column differs.
"""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from pokewatch.contract import (
    ADVICE_REASONS,
    CARD_ID_PATTERN,
    DISTRIBUTION,
    DISTRIBUTION_WIDTH,
    REASONS,
    ROW_STATUSES,
    SIGNALS,
    UNKNOWN_CARD,
    UNKNOWN_DATE,
    parse_iso_day,
)
from pokewatch.gateway.upstream.v2_messages import (
    Column,
    Columns,
    InferRequest,
    InferResponse,
    flatten,
)

UNKNOWN = frozenset({UNKNOWN_CARD, UNKNOWN_DATE})
_ALLOWED = {
    "status": ROW_STATUSES,
    "signal": frozenset(SIGNALS),
    "reason": REASONS,
    "advice": ADVICE_REASONS,
}
_DECISION_NUMBERS = ("deviation_pct", "confidence", "buy_below", "sell_above", "chance_to_earn")
_NUMBER = frozenset({float, int, type(None)})
_CARD_ID = re.compile(CARD_ID_PATTERN)


def check_prices(
    found: Columns, cards: Sequence[str], days: Sequence[str], offers: Sequence[float | None]
) -> None:
    """Check the reply of `fair-price` for `cards`, given by id or slug.

    A day of "" is the latest one. An offer of None stands for the market price.
    """
    check_numbers(found, ("market_price", "fair_price", "lower", "upper", DISTRIBUTION))
    check_members("status", found["status"], ROW_STATUSES)
    _check_cards(found["card_id"], found["slug"], cards)
    _check_days(found["date"], found["status"], days)
    prices = found["market_price"]
    if offers.count(None) < len(offers):
        pairs = zip(offers, prices, strict=True)
        _check(
            "market_price",
            prices,
            [offer is None or offer == price for offer, price in pairs],
            offers,
        )


def check_decisions(found: Columns, status: Column | None) -> None:
    """Check the reply of `decision` for rows with these statuses."""
    check_numbers(found, _DECISION_NUMBERS)
    signals, deviations = found["signal"], found["deviation_pct"]
    check_members("signal", signals, SIGNALS)
    check_members("reason", found["reason"], REASONS)
    check_members("advice", found["advice"], ADVICE_REASONS)
    for name in ("confidence", "chance_to_earn"):
        _check_probabilities(name, found[name])
    if None in deviations:
        pairs = zip(signals, deviations, strict=True)
        _check(
            "signal",
            signals,
            [signal == "HOLD" or deviation is not None for signal, deviation in pairs],
        )
    if status is not None and status.count("ok") < len(status):
        _check(
            "signal",
            signals,
            [
                signal == "HOLD" or each == "ok"
                for signal, each in zip(signals, status, strict=True)
            ],
        )


def _check_probabilities(name: str, values: Column) -> None:
    if None in values:
        values = [value for value in values if value is not None]
    if values and (min(values) < 0 or max(values) > 1):
        raise ValueError(f"output {name!r} ranges from {min(values)} to {max(values)}, not 0 to 1")


def check_passthrough(reply: InferResponse, name: str, request: InferRequest, rows: int) -> None:
    """Check the reply of the model `name` to a request that was passed through."""
    if reply.model_name != name:
        raise ValueError(f"reply of model {reply.model_name!r}, expected {name!r}")
    if request.id and reply.id != request.id:
        raise ValueError("the reply is to another request")
    statuses = (flatten(tensor.data) for tensor in request.inputs if tensor.name == "status")
    # A status that the caller made up may be returned as the reason, without NULs at its end, which
    # NumPy does not store.
    own = {text.rstrip("\0") for data in statuses for text in data if isinstance(text, str)}
    names = [output.name for output in reply.outputs]
    requested = [output.name for output in request.outputs or ()]
    expected = requested or list(dict.fromkeys(names))
    if names != expected:
        raise ValueError(f"the outputs are {names}, expected {expected}")
    for output in reply.outputs:
        width = DISTRIBUTION_WIDTH if output.name == DISTRIBUTION else 1
        shape = [rows] if width == 1 else [rows, width]
        if output.shape != shape or len(output.data) != rows * width:
            raise ValueError(
                f"output {output.name!r} has {len(output.data)} values for {rows} rows"
            )
        if output.datatype == "FP64":
            check_numbers({output.name: output.data}, (output.name,))
            continue
        _check(output.name, output.data, [type(value) is str for value in output.data])
        if output.name in _ALLOWED:
            check_members(output.name, output.data, _ALLOWED[output.name] | own)
        if output.name in ("card_id", "date"):
            _check_as_requested(output.name, output.data, request)


def _check_as_requested(name: str, values: Column, request: InferRequest) -> None:
    """Check that ids are ids or as requested, and days no later than those requested."""
    given = [flatten(tensor.data) for tensor in request.inputs if tensor.name == name]
    requested = given[0] if given else [""] * len(values)
    pairs = zip(values, requested, strict=True)
    if name == "card_id":
        good = [card == wanted or is_card_id(card) for card, wanted in pairs]
    else:
        good = [
            day == "" or (_is_day(day) and (not _is_day(limit) or day <= limit))
            for day, limit in pairs
        ]
    _check(name, values, good, requested)


def check_numbers(found: Columns, names: Sequence[str]) -> None:
    """Check for numbers or null. JSON cannot express infinity or NaN."""
    for name in names:
        if not _NUMBER.issuperset(map(type, found[name])):
            _check(name, found[name], [type(value) in _NUMBER for value in found[name]])


def check_members(name: str, values: Column, allowed: Collection[str]) -> None:
    """Check that all `values` are `allowed`."""
    if not set(values).issubset(allowed):
        _check(name, values, [value in allowed for value in values])


def is_card_id(text: str) -> bool:
    """Return whether a text may be an id or a slug."""
    return _CARD_ID.fullmatch(text) is not None


def check_day(name: str, day: object) -> None:
    """Check for a calendar day as YYYY-MM-DD."""
    if not _is_day(day):
        raise ValueError(f"{name!r} has {day!r}, expected a day as YYYY-MM-DD")


def _check_cards(cards: Column, slugs: Column, requested: Sequence[str]) -> None:
    if cards == requested:
        return
    if slugs != requested:
        rows = zip(requested, cards, slugs, strict=True)
        _check("card_id", cards, [name in (card, slug) for name, card, slug in rows], requested)
    known = [
        type(card) is str and (card == name or is_card_id(card))
        for card, name in zip(cards, requested, strict=True)
    ]
    _check("card_id", cards, known)


def _check_days(days: Column, status: Column, requested: Sequence[str]) -> None:
    """Check that known rows have a day, no later than the one requested, and unknown rows none."""
    for day in set(days):
        if day != "":
            check_day("date", day)
    if not UNKNOWN.isdisjoint(status) or "" in days:
        _check(
            "date",
            days,
            [(day == "") == (each in UNKNOWN) for day, each in zip(days, status, strict=True)],
        )
    latest = set(days) - {""}
    if any(requested):
        rows = list(zip(days, requested, strict=True))
        _check("date", days, [not limit or day <= limit for day, limit in rows], requested)
        latest = {day for day, limit in rows if day and not limit}
    if len(latest) > 1:
        raise ValueError(f"output 'date' has several latest days, {min(latest)} to {max(latest)}")


def _check(
    name: str, values: Column, good: list[bool], requested: Sequence[Any] | None = None
) -> None:
    """Raise ValueError with the first row that is not `good`."""
    if not all(good):
        at = good.index(False)
        expected = "" if requested is None else f", requested was {requested[at]!r}"
        raise ValueError(f"output {name!r} has {values[at]!r} in row {at}{expected}")


@lru_cache(maxsize=4_096)
def _is_day(day: object) -> bool:
    if not isinstance(day, str):
        return False
    try:
        parse_iso_day(day)
    except ValueError:
        return False
    return True
