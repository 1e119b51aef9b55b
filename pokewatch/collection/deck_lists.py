"""Lists of cards: names or ids, one a line, and decks as games and apps copy them.

A line of a deck is `4 Charizard ex OBF 125` or `4 Sol Ring (C21) 263`. Lines are untrusted: each
pattern takes time in proportion to the length of its text.
"""

import re
from collections.abc import Iterable

from pokewatch.contract import CARD_ID_PATTERN
from pokewatch.market.tabular.sheet import TableError

_CARD_ID = re.compile(CARD_ID_PATTERN)
# Pokémon TCG Live, and PTCGO with an asterisk: the code and the number end the line. "PH" is a
# reverse holofoil.
_LIVE = re.compile(
    r"(?:\* )?(?P<quantity>\d{1,3})x? (?P<name>\S.*) (?P<set_code>[A-Z][A-Z0-9-]{1,7})"
    r" (?P<number>[A-Za-z]{0,5}\d{1,4}[A-Za-z]?)(?: (?P<printing>PH))?"
)
# Arena, Moxfield, ManaBox and Archidekt: the code is in parentheses. "*F*" is a foil.
_ARENA = re.compile(
    r"(?P<quantity>\d{1,3})x? (?P<name>\S.*) \((?P<set_code>\w{2,8})\)"
    r" (?P<number>\w[\w-]{0,9})(?: \*(?P<printing>[FE])\*)?"
)
_COUNTED = re.compile(r"(?P<quantity>\d{1,3})[x\u00d7] (?P<name>\S.*)", re.IGNORECASE)
_HEADING = re.compile(
    r"(?:##)?(?:pok[eé]mon|trainer|energy|deck|sideboard|maybeboard|commander|companion|about)"
    r"(?: cards)?(?: ?[:-] ?\d{1,3}| ?\(\d{1,3}\)|:)?|\*{3}.*",
    re.IGNORECASE,
)
# Of Yu-Gi-Oh!, as its simulators write them: each number is the passcode of a card.
_PASSCODE_PARTS = frozenset({"#main", "#extra", "!side"})
_PRINTINGS = {"PH": "Reverse Holofoil", "F": "Foil", "E": "Etched"}


def fields_of(text: str) -> dict[str, str]:
    """Return the fields of a line by their names: an id, those of a deck, or a name, or both.

    A number may begin a name, such as `151 Booster Bundle`: it counts copies only beside the code
    and number of a card, or with an "x".
    """
    if text.isdecimal():
        return {"name": "", "product_id": text}
    for pattern in (_LIVE, _ARENA, _COUNTED):
        if match := pattern.fullmatch(text):
            fields = {name: cell for name, cell in match.groupdict().items() if cell}
            if "printing" in fields:
                fields["printing"] = _PRINTINGS[fields["printing"]]
            return fields
    return {"name": text, "card_id": text if _CARD_ID.fullmatch(text) else ""}


def check_passcodes(names: Iterable[str]) -> None:
    """Raise TableError for a .ydk deck: its passcodes may be ids of other products."""
    if len(_PASSCODE_PARTS.intersection(names)) > 1:
        raise TableError(
            "it is a .ydk deck, whose lines are passcodes of cards, which tell no set",
            remedy="write a line of each card with its name, set and number",
        )


def is_heading(text: str) -> bool:
    """Return whether a line is the heading of a part of a deck, such as `Trainer: 30`."""
    return _HEADING.fullmatch(text) is not None
