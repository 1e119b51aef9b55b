"""The printing of a copy where several columns tell it."""

from collections.abc import Mapping

from pokewatch.market.tabular.numbers import is_placeholder
from pokewatch.market.tabular.sheet import shortened

# Spreadsheets write true and false in their own language.
_YES = {
    *("yes", "y", "true", "1", "x", "✓", "✔", "ja", "oui", "sí", "si", "sì", "sim"),
    *("wahr", "vrai", "vero", "verdadero", "verdadeiro", "waar", "prawda", "sant", "sand"),
    *("tosi", "igaz", "pravda", "истина", "tak", "t", "on", "checked"),
}
_NO = {
    *("no", "n", "false", "0", "-", "nein", "non", "não", "nee"),
    *("falsch", "faux", "falso", "onwaar", "fałsz", "falskt", "falsk"),
    *("epätosi", "hamis", "nepravda", "ложь", "nie", "f", "off", "unchecked"),
}
_FIRST = ("1st", "first", "1. ")
_OTHERS = {"normal", "regular", "unlimited", "non-holo", "non holo", "nonholo"}
# Cells that repeat the header of their column.
_OWN = {
    "reverse": {"reverse", "reverse holo", "reverse holofoil", "rh"},
    "holo": {"holo", "holofoil", "foil"},
    "first_edition": {"1st edition", "first edition", "1st ed", "1st"},
    "playset": {"playset"},
    "signed": {"signed"},
    "altered": {"altered", "altered art"},
    "misprint": {"misprint"},
    "proxy": {"proxy"},
    "artist_proof": {"proof", "artist proof"},
    "normal": {"normal", "non-holo", "non holo", "nonholo"},
}
_UNPRICED = {
    "signed": "signed copies",
    "altered": "altered copies",
    "misprint": "misprints",
    "proxy": "proxies",
    "artist_proof": "artist proofs",
}
_FLAGS = _UNPRICED | {
    "normal": "normal copies",
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
    if _is_flagged(values, "reverse"):
        return "Reverse Holofoil"
    if _is_flagged(values, "holo"):
        printing = "Holofoil"
    elif not printing and ("holo" in values or "reverse" in values):
        printing = "Normal"
    return _of_print_run(values, printing)


def check_flags(values: Mapping[str, str]) -> None:
    """Raise ValueError where a column of yes and no says neither, such as a number of copies.

    Raise it for a copy that has no price, too, and for a line of two printings.
    """
    for name, said in _FLAGS.items():
        text = values.get(name, "")
        other = is_no(text) or text.casefold() in _OTHERS or is_placeholder(text)
        if text and not (other or _is_flagged(values, name)):
            raise ValueError(f"{shortened(text)} in its column of {said} is neither yes nor no")
    for name, said in _UNPRICED.items():
        if _is_flagged(values, name):
            raise ValueError(f"there are no prices of {said}")
    given = [_FLAGS[name] for name in ("normal", "reverse", "holo") if _is_flagged(values, name)]
    if "normal copies" in given and len(given) > 1:
        raise ValueError(f"it counts {' and '.join(given)}: write a line of each")


def _is_flagged(values: Mapping[str, str], name: str) -> bool:
    text = values.get(name, "")
    return is_yes(text) or text.casefold() in _OWN[name]


def is_yes(text: str) -> bool:
    return text.casefold() in _YES


def is_no(text: str) -> bool:
    return text.casefold() in _NO


def _of_print_run(values: Mapping[str, str], printing: str) -> str:
    run = values.get("print_run", "").casefold()
    first = _is_flagged(values, "first_edition") or run.startswith(_FIRST)
    plain = printing.casefold()
    if first and "1st" not in plain:
        return "1st Edition Holofoil" if "foil" in plain or "holo" in plain else "1st Edition"
    named, _, rest = run.partition(" ")
    # Yu-Gi-Oh! has both.
    if named in ("unlimited", "limited") and rest in ("", "edition") and plain in ("", "normal"):
        return named.capitalize()
    return printing
