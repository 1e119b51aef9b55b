"""Sentences of the cards."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pokewatch import contract
from pokewatch.checks import Check
from pokewatch.valuation.skill import MIN_WINDOWS
from pokewatch.wording import counted

if TYPE_CHECKING:
    from pokewatch.pipeline.selection import GateOutcome


def market_name(market: str) -> str:
    """Return how a card names a market: by its id, as several have cards of the same steps."""
    return f"the {'simulated ' if market.startswith('simulated-') else ''}market {market}"


def sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def summary(failed: Sequence[Check], good: str, bad: str) -> str:
    """Return `bad`, in bold, if a check failed, else `good`."""
    return f"**{bad}**" if failed else good


def evidence(outcome: "GateOutcome") -> str:
    """Return what the evaluation shows, in the place of a headline."""
    match outcome.skill:
        case contract.BETTER:
            return f"**{outcome.model} is {outcome.skill}.**"
        case contract.TOO_FEW_PERIODS:
            return (
                f"**Its error was below that of the last price, but these are {outcome.skill} "
                "what the next one brings.**"
            )
    return (
        f"**{outcome.model} is {outcome.skill}: only its interval and offered prices add "
        "information.**"
    )


def origins(evaluation: Mapping[str, Any]) -> str:
    """Return which card-days an evaluation is of."""
    days = evaluation["origins"]
    few = "" if evaluation["windows"] >= MIN_WINDOWS else ": too few periods to tell"
    return (
        f"{counted(evaluation['dataset_size'], 'card-day')} at {counted(len(days), 'origin')}, "
        f"{days[0]} to "
        f"{days[-1]}, which are {evaluation['windows']:.1f} independent periods{few}. Intervals "
        "allow for common cards and common dates."
    )
