"""The caveats of answers: the meaning, the age and the quality of their prices."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from pokewatch.contract import BETTER, MAX_DATA_AGE_HOURS, NEAR_MINT, data_age_hours

Json = dict[str, Any]


def context_of_answer(ready: Json, answer: Json) -> Json:
    """Return the date, currency and versions of an answer; `ready` is that of GET /ready."""
    return {
        "date": answer.get("date", ready["last_day"]),
        "currency": answer.get("currency", ready["currency"]),
        "model_version": answer.get("model_version", ready["model_version"]),
        "data_version": answer.get("data_version", ready["data_version"]),
    }


def caveats(ready: Json, answer: Json, now: datetime | None = None) -> list[str]:
    """Return the caveats of an answer."""
    return list(_caveats(ready, answer, now or datetime.now(UTC)))


def _caveats(ready: Json, answer: Json, now: datetime) -> Iterator[str]:
    yield (
        f"A fair price is the median forecast of the market price {ready['horizon']} days ahead, "
        "and lower and upper are the ends of its 90% interval. It is an estimate, not an offer."
    )
    if ready["source"] == "simulated":
        yield "All prices are simulated: this is not a real market."
    hours = data_age_hours(date.fromisoformat(ready["last_day"]), now)
    if hours > MAX_DATA_AGE_HOURS:
        yield f"The newest prices are of {ready['last_day']}, {hours / 24:.0f} days old."
    if ready["not_evaluated"]:
        yield ready["not_evaluated"]
    elif ready["skill"] != BETTER:
        yield f"The evaluation of the model against forecasting the last price: {ready['skill']}."
    if answer.get("stale"):
        yield "This is an earlier answer, because the model server is not available."
    if answer.get("condition", NEAR_MINT) != NEAR_MINT:
        yield "The price of a copy that is not near mint is a share of the price, an assumption."
