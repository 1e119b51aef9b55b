"""The parts of the names of a line and its set: number, printing, condition, language.

They are untrusted: each pattern takes time in proportion to the length of its text, as no two
repeats that may match the same characters are adjacent, and none runs on from every place where it
may begin.
"""

import re

from pokewatch.collection.conditions import FOREIGN_LANGUAGES, language_of
from pokewatch.collection.names import is_common_printing, is_printing

_NUMBER_IN_NAME = re.compile(r"#(\w[\w/-]*)|(?:\s-)?\s(\w{0,4}\d{1,3}/\w{0,4}\d{1,3})$")
_PARENTHESES = re.compile(r"\(([^()]*)\)")
_PSA_PRINTING = re.compile(r"-((?:rev\.?|reverse) ?(?:foil|holo)|holo|1st edition)$", re.IGNORECASE)
_ASIDE = re.compile(r"[(\[]([^()\[\]]{2,20})[)\]]")
# Of a copy. No card's name has these words in parentheses, as many have "EX" or "M".
_CONDITION = re.compile(
    r"nm|lp|mp|hp|dmg|near mint|(?:lightly|moderately|heavily|slightly) played|damaged|played|poor",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
# Of a version, at the end of a name: catalogues write them in parentheses.
_VERSION = re.compile(
    r"(?<=\w)(?: ?-)? ((?:alt(?:ernat(?:e|ive))?|full|alternate full) art(?: secret)?(?: rare)?"
    r"|secret(?: rare)?|(?:rainbow|hyper|(?:special )?illustration) rare|sir|(?:gold )?star"
    r"|delta species)$",
    re.IGNORECASE,
)
_CODE = 2  # letters of the code of a language, which may be words of a name, too


def split_set(name: str) -> tuple[str, str]:
    """Return a set's name without a language that begins or ends it, and that language."""
    words = name.split()
    for at in (0, 1, -1):
        word = words[at].strip("()[]") if len(words) > 1 else ""
        if word in FOREIGN_LANGUAGES:
            return " ".join(each for each in words if each != words[at]), word
    return name, ""


def split_copy(name: str) -> tuple[str, str, str]:
    """Return a name without what it says in parentheses of the copy: condition and language."""
    condition = language = ""
    for text in _ASIDE.findall(name):
        spoken = language_of(text) if len(text) > _CODE or text == "JP" else ""
        if _CONDITION.fullmatch(text.strip()):
            condition = text.strip()
        elif spoken in FOREIGN_LANGUAGES:
            language = spoken
        else:
            continue
        name = " ".join(re.sub(rf"[(\[]{re.escape(text)}[)\]]", " ", name).split())
    return name, condition, language


def with_version_aside(name: str) -> str:
    """Return a name with the words of a version that end it in parentheses.

    `Giratina V Alt Art` is `Giratina V (Alt Art)`.
    """
    return _VERSION.sub(r" (\1)", name)


def split_name(name: str) -> tuple[str, str, str]:
    """Return name, number and printing of a name like `Charizard [Reverse Holo] #4`.

    Brackets that name no printing, such as `[Staff]`, stay in the name as parentheses.
    """
    name = _PSA_PRINTING.sub(r" [\1]", name)
    for text in _PARENTHESES.findall(name):
        if is_common_printing(text):
            name = name.replace(f"({text})", f"[{text}]")
    number, brackets = _NUMBER_IN_NAME.search(name), _BRACKETS.search(name)
    text = brackets[1] if brackets else ""
    printing = text if is_printing(text) else ""
    plain = _NUMBER_IN_NAME.sub(" ", name)
    plain = _BRACKETS.sub(" ", plain) if printing else _BRACKETS.sub(r"(\1)", plain)
    return " ".join(plain.split()) or name, number[1] or number[2] if number else "", printing
