"""The caveats of answers: the meaning, the age and the quality of their prices."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from pokewatch.contract import BETTER, MAX_DATA_AGE_HOURS, NEAR_MINT, data_age_hours
from pokewatch.wording import age_in_words, counted

Json = dict[str, Any]


def context_of_answer(market: Json, answer: Json) -> Json:
    """Return the market, date, currency and versions of an answer.

    `market` is the item of GET /markets that the answer is about.
    """
    return {
        "market": answer.get("market", market["id"]),
        "date": answer.get("date", market["last_day"]),
        "currency": answer.get("currency", market["currency"]),
        "model_version": answer.get("model_version", market["model_version"]),
        "data_version": answer.get("data_version", market["data_version"]),
    }


def caveats(market: Json, answer: Json, now: datetime | None = None) -> list[str]:
    """Return the caveats of an answer about a market."""
    return list(_caveats(market, answer, now or datetime.now(UTC)))


def _caveats(market: Json, answer: Json, now: datetime) -> Iterator[str]:
    ahead = counted(market["horizon"], "day")
    yield (
        f"A fair price is the median forecast of the market price {ahead} ahead, and lower and "
        "upper are the ends of its 90% interval. It is an estimate, not an offer."
    )
    if market["source"] == "simulated":
        yield "All prices are simulated: this is not a real market."
    hours = data_age_hours(date.fromisoformat(market["last_day"]), now)
    if hours > MAX_DATA_AGE_HOURS:
        ended = f"which ended {age_in_words(hours)} ago"
        yield f"The newest prices are of {market['last_day']}, {ended}."
    if market["not_evaluated"]:
        yield market["not_evaluated"]
    elif market["skill"] != BETTER:
        yield f"The evaluation of the model against forecasting the last price: {market['skill']}."
    if answer.get("stale"):
        yield "This is an earlier answer, because the model server is not available."
    if answer.get("condition", NEAR_MINT) != NEAR_MINT:
        yield "The price of a copy that is not near mint is a share of the price, an assumption."
