"""The printing of a copy where several columns tell it."""

from collections.abc import Mapping

_YES = {"yes", "y", "true", "1", "x", "✓", "✔", "ja", "oui", "sí", "si", "sì", "sim", "wahr"}
_NO = {"no", "n", "false", "0", "-", "nein", "non", "não", "nee", "falsch"}
_FIRST = ("1st", "first", "1. ")


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
