"""The model card of a version, in Markdown (Mitchell et al., "Model cards for model reporting").

Everything on it is read from the version, its price book and its evaluation.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pokewatch.checks import Check
from pokewatch.registry import LAST_DAY, RegisteredModel
from pokewatch.valuation.book import BookFacts

_SCORES = {
    "rmae_last": "error relative to that of the last price (below 1 is better)",
    "mape": "mean absolute percentage error, %",
    "coverage_90": "share of later prices inside the 90% interval",
    "coverage_rate": "share of card-days valued",
    "dataset_size": "card-days evaluated",
    "windows": "independent periods",
}


def model_card(
    model: RegisteredModel,
    facts: BookFacts,
    evaluation: Mapping[str, Any],
    checks: Sequence[Check],
) -> str:
    """Return the card of a registered version."""
    return "\n".join(_lines(model, facts, evaluation, checks)) + "\n"


def _lines(
    model: RegisteredModel,
    facts: BookFacts,
    evaluation: Mapping[str, Any],
    checks: Sequence[Check],
) -> Iterator[str]:
    yield f"# Fair prices of trading cards, version {model.version}"
    yield ""
    yield (
        f"The model `{facts.model}` forecasts the median market price of each card {facts.horizon} "
        f"days ahead, in {facts.currency}, with a 90% interval and a predictive distribution."
    )
    if facts.source == "simulated":
        yield "Its prices are those of a simulated market, not of a real one."
    yield ""
    yield from _table(
        "Origin",
        {
            "prices": f"{facts.source}, to {model.tags.get(LAST_DAY, 'unknown')}",
            "data version": facts.data_version,
            "price book (SHA-256)": model.digest,
            "code (git commit)": facts.git_commit or "unknown",
            "written at": facts.created_at.isoformat(timespec="seconds"),
        },
    )
    yield from _evaluation(facts, evaluation)
    yield from _table(
        "Checks of the gate",
        {
            check.name: f"{check.actual}, wanted {check.threshold}: {check.result}"
            for check in checks
        },
    )
    yield "## Intended use, and limits"
    yield ""
    yield "To judge offers and collections. It is no advice to invest."
    yield "A fair price is a forecast of a quoted price, not of what a copy will sell for."
    yield "Cards that are thinly traded, new or freshly changed carry a status that says so."


def _evaluation(facts: BookFacts, evaluation: Mapping[str, Any]) -> Iterator[str]:
    if facts.not_evaluated:
        yield "## Evaluation"
        yield ""
        yield f"The model was {facts.not_evaluated}."
        yield ""
        return
    scores = {
        words: _figure(evaluation[name], evaluation.get(f"{name}_ci"))
        for name, words in _SCORES.items()
        if evaluation.get(name) is not None
    }
    yield from _table("Walk-forward evaluation, on days after those it was fitted to", scores)


def _figure(value: float, interval: Sequence[float] | None) -> str:
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return text if interval is None else f"{text} [{interval[0]:.4g}, {interval[1]:.4g}]"


def _table(title: str, rows: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    for name, value in rows.items():
        yield f"| {name} | {value.replace('|', '/')} |"
    yield ""
