"""Checks of what the model server answers: each row is the one asked, and every value is of its kind. Raise ValueError.

They run on every call, so they compare columns as a whole and look at rows only where a column differs.
"""

import re
from collections.abc import Collection, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from pokewatch.contract import REASONS, ROW_STATUSES, SIGNALS, UNKNOWN_CARD, UNKNOWN_DATE
from pokewatch.gateway.upstream.v2_messages import (
    Column,
    Columns,
    InferRequest,
    InferResponse,
    flat,
)

UNKNOWN = frozenset({UNKNOWN_CARD, UNKNOWN_DATE})
_WORDS = {"status": ROW_STATUSES, "signal": frozenset(SIGNALS), "reason": REASONS}
_NUMBER = frozenset({float, int, type(None)})
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def check_prices(
    found: Columns, cards: Sequence[str], days: Sequence[str], offers: Sequence[float | None]
) -> None:
    """The columns that `fair-price` answers for `cards` on `days` ("" is the latest), judged at `offers` where there are any.

    `slug` is among them. A card may have been asked for by its id or its slug.
    """
    check_numbers(found, ("market_price", "fair_price", "lower", "upper"))
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


def check_decisions(found: Columns, status: Column | None = None) -> None:
    """The columns that `decision` answers, for rows of a `status`."""
    check_numbers(found, ("deviation_pct", "confidence"))
    signals, deviations = found["signal"], found["deviation_pct"]
    check_members("signal", signals, SIGNALS)
    check_members("reason", found["reason"], REASONS)
    likely = found["confidence"]
    if None in likely:
        likely = [chance for chance in likely if chance is not None]
    if likely and (min(likely) < 0 or max(likely) > 1):
        raise ValueError(
            f"output 'confidence' has {min(likely)} to {max(likely)}, which are not all probabilities"
        )
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


def check_passed(reply: InferResponse, name: str, request: InferRequest, rows: int) -> None:
    """What the model `name` answers to a caller's own request: the outputs asked for, each of its kind."""
    if reply.model_name != name:
        raise ValueError(f"answered by the model {reply.model_name!r}, asked was {name!r}")
    if request.id and reply.id != request.id:
        raise ValueError("it answers another request")
    statuses = (flat(tensor.data) for tensor in request.inputs if tensor.name == "status")
    own = {
        text for data in statuses for text in data if isinstance(text, str)
    }  # a reason may be the caller's own status
    names = [output.name for output in reply.outputs]
    wanted = [output.name for output in request.outputs or ()] or list(dict.fromkeys(names))
    if names != wanted:
        raise ValueError(f"the outputs are {names}, not {wanted}")
    for output in reply.outputs:
        if output.shape != [rows] or len(output.data) != rows:
            raise ValueError(
                f"output {output.name!r} has {len(output.data)} values for {rows} rows"
            )
        if output.datatype == "FP64":
            check_numbers({output.name: output.data}, (output.name,))
            continue
        _check(output.name, output.data, [type(value) is str for value in output.data])
        if output.name in _WORDS:
            check_members(output.name, output.data, _WORDS[output.name] | own)


def check_numbers(found: Columns, names: Sequence[str]) -> None:
    """JSON has no number that is not finite, so those left are finite."""
    for name in names:
        if not _NUMBER.issuperset(map(type, found[name])):
            _check(name, found[name], [type(value) in _NUMBER for value in found[name]])


def check_members(name: str, values: Column, allowed: Collection[str]) -> None:
    """Each of `values` is one of the words `allowed`."""
    if not set(values).issubset(allowed):
        _check(name, values, [value in allowed for value in values])


def check_day(name: str, day: object) -> None:
    """`day` is a calendar day as YYYY-MM-DD."""
    if not _is_day(day):
        raise ValueError(f"{name!r} has {day!r}, which is no day")


def _check_cards(cards: Column, slugs: Column, asked: Sequence[str]) -> None:
    if cards == asked:
        return
    if slugs != asked:
        _check(
            "card_id",
            cards,
            [ask in (card, slug) for ask, card, slug in zip(asked, cards, slugs, strict=True)],
            asked,
        )
    _check("card_id", cards, [type(card) is str for card in cards])


def _check_days(days: Column, status: Column, asked: Sequence[str]) -> None:
    """A day where there are prices, none where there are not. It may be earlier than the one asked: the last with prices."""
    for day in set(days):
        if day != "":
            check_day("date", day)
    if not UNKNOWN.isdisjoint(status) or "" in days:
        _check(
            "date",
            days,
            [(day == "") == (each in UNKNOWN) for day, each in zip(days, status, strict=True)],
        )
    if any(asked):
        _check(
            "date",
            days,
            [not ask or day <= ask for day, ask in zip(days, asked, strict=True)],
            asked,
        )
    latest = (
        {day for day, ask in zip(days, asked, strict=True) if day and not ask}
        if any(asked)
        else set(days) - {""}
    )
    if len(latest) > 1:
        raise ValueError(
            f"output 'date' has {len(latest)} latest days, from {min(latest)} to {max(latest)}"
        )


def _check(name: str, values: Column, good: list[bool], asked: Sequence[Any] | None = None) -> None:
    """All is `good`; else the first row that is not is named."""
    if not all(good):
        at = good.index(False)
        wanted = "" if asked is None else f", asked for {asked[at]!r}"
        raise ValueError(f"output {name!r} has {values[at]!r} at row {at}{wanted}")


@lru_cache(maxsize=4_096)
def _is_day(day: object) -> bool:
    if not isinstance(day, str) or not _ISO_DAY.fullmatch(day):
        return False
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True
