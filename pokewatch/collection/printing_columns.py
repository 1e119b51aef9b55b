"""The printing of a copy where several columns tell it."""

from collections.abc import Mapping

from pokewatch.market.tabular.numbers import is_placeholder
from pokewatch.market.tabular.sheet import shortened

# Spreadsheets write true and false in their own language.
_YES = {
    *("yes", "y", "true", "1", "x", "✓", "✔", "ja", "oui", "sí", "si", "sì", "sim"),
    *("wahr", "vrai", "vero", "verdadero", "verdadeiro", "waar", "prawda", "sant", "sand"),
    *("tosi", "igaz", "pravda", "истина"),
}
_NO = {
    *("no", "n", "false", "0", "-", "nein", "non", "não", "nee"),
    *("falsch", "faux", "falso", "onwaar", "fałsz", "falskt", "falsk"),
    *("epätosi", "hamis", "nepravda", "ложь"),
}
_FIRST = ("1st", "first", "1. ")
_FLAGS = {
    "reverse": "reverse holofoils",
    "holo": "holofoils",
    "first_edition": "first editions",
    "playset": "playsets",
}


def with_flags(values: Mapping[str, str], empty: str) -> str:
    """Return the printing of a line. `empty` is what an empty cell of its own column means.

    Columns of yes and no, such as `Reverse Holo` or `First Edition`, and a print run beside the set
    add to it.
    """
    printing = values.get("printing", "")
    if "printing" in values and not printing:
        printing = empty
    if is_yes(printing):
        printing = "Foil"
    elif is_no(printing):
        printing = "Normal"
    if is_yes(values.get("reverse", "")):
        return "Reverse Holofoil"
    if is_yes(values.get("holo", "")):
        printing = "Holofoil"
    elif not printing and ("holo" in values or "reverse" in values):
        printing = "Normal"
    return _of_print_run(values, printing)


def check_flags(values: Mapping[str, str]) -> None:
    """Raise ValueError where a column of yes and no says neither, such as a number of copies."""
    for name, said in _FLAGS.items():
        text = values.get(name, "")
        if text and not (is_yes(text) or is_no(text) or is_placeholder(text)):
            raise ValueError(f"{shortened(text)} in its column of {said} is neither yes nor no")


def is_yes(text: str) -> bool:
    return text.casefold() in _YES


def is_no(text: str) -> bool:
    return text.casefold() in _NO


def _of_print_run(values: Mapping[str, str], printing: str) -> str:
    run = values.get("print_run", "").casefold()
    first = is_yes(values.get("first_edition", "")) or run.startswith(_FIRST)
    plain = printing.casefold()
    if first and "1st" not in plain:
        return "1st Edition Holofoil" if "foil" in plain or "holo" in plain else "1st Edition"
    if run == "unlimited" and plain in ("", "normal"):
        return "Unlimited"
    return printing
