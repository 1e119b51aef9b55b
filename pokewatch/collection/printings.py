"""The printings of a card that a line may mean, where none has the name that it gives."""

from collections.abc import Mapping

from pokewatch.collection.names import (
    BASE_PRINTING,
    fits_print_run,
    is_base_printing,
    is_foil,
    is_plain_holofoil,
    printing_key,
)


def of_kind(given: str, printings: Mapping[int, str]) -> list[int]:
    """Return the printings that are foil, or that are no special ones; a normal one alone.

    `given` is the key of the line's printing.
    """
    if given not in (BASE_PRINTING, "foil"):
        return []
    fits = is_foil if given == "foil" else is_base_printing
    fitting = [at for at, name in printings.items() if fits(name)]
    normal = [at for at in fitting if printing_key(printings[at]) == "normal"]
    return normal or fitting


def contradict(one: str, other: str) -> bool:
    """Return whether two printings that a line gives cannot be those of one copy."""
    first, second = (set(printing_key(text).split()) for text in (one, other))
    if {"reverse", "1st"} & (first ^ second):
        return True
    return {"normal"} in (first, second) and is_foil(one) != is_foil(other)


def combined(column: str, named: str) -> str:
    """Return the printing of a copy that a column and its name give; both if they contradict.

    The print run of one adds to the finish of the other, and a reverse holofoil is a foil too.
    """
    if not (printing_key(column) and named and contradict(column, named)):
        return column if printing_key(column) else named or column
    both = {printing_key(column), printing_key(named)}
    if both in ({"1st edition", "normal"}, {"1st edition", "foil"}, {"1st edition", "holofoil"}):
        return "1st Edition" if "normal" in both else "1st Edition Holofoil"
    for special in ("1st edition holofoil", "reverse holofoil"):
        if special in both and both <= {special, "foil", "holofoil"}:
            return special
    return f"{column} {named}"


def of_print_run(given: str, printings: Mapping[int, str]) -> list[int]:
    """Return the printings that a line means that gives a print run or the holofoil alone."""
    plain = is_plain_holofoil(given, list(printings.values()))
    run = "unlimited" if plain else given
    return [at for at, name in printings.items() if fits_print_run(run, name)]
