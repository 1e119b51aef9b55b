"""Sentences that the cards share."""

from collections.abc import Sequence

from pokewatch.checks import Check


def market_name(source: str) -> str:
    """Return how a card names the market of a source."""
    return "a simulated market" if source == "simulated" else f"the market {source}"


def sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def summary(failed: Sequence[Check], good: str, bad: str) -> str:
    """Return `bad`, in bold, if a check failed, else `good`."""
    return f"**{bad}**" if failed else good
