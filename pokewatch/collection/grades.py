"""Grades of copies as lines of collections write them. A graded copy has another price."""

import re
from collections.abc import Mapping

from pokewatch.collection.printing_columns import is_yes

_GRADED = re.compile(
    r"(?:psa|bgs|beckett|cgc|sgc|ace|tag|hga|ags|gma|ars|graded?)(?=[\W\d]).*\d", re.IGNORECASE
)
_IN_NAME = re.compile(
    r"[(\[]?\b(?P<grade>(?:psa|bgs|beckett|cgc|sgc)[ -]?"
    r"(?:(?:gem|mint|mt|nm|pristine|perfect|black label)[ -]){0,3}(?:10|[1-9])(?:\.[05])?)"
    r"(?![\w/.])[)\]]?",
    re.IGNORECASE,
)
# In parentheses, where it is no part of a card's name.
_ASIDE = re.compile(
    r"[(\[](?P<grade>graded|slab(?:bed)?|"
    r"(?:ace|tag|hga|ags|gma|ars)[ -]?(?:10|[1-9])(?:\.[05])?)[)\]]",
    re.IGNORECASE,
)
_UNGRADED = {"", "ungraded", "raw", "none", "no", "n/a", "-", "0", "false"}


def grade_of(values: Mapping[str, str], condition: str) -> str:
    """Return the grade of a graded copy as the line writes it, "" for others.

    A copy that a company has graded, or that a column says is graded, need not have a grade.
    """
    given, grader = values.get("grade", ""), values.get("grader", "")
    if given and given.casefold() in _UNGRADED:
        given = grader = ""
    grader = "graded" if is_yes(grader) else grader
    if grader.casefold() in _UNGRADED or (given and given in grader):
        grader = ""
    said_yes = is_yes(given) and not given.isdecimal()  # 1 is a grade
    grade = f"{grader} {'graded' if said_yes else given}".strip()
    return grade or (condition if _GRADED.match(condition) else "")


def split_grade(name: str) -> tuple[str, str]:
    """Return a name without the grade in it, as in `Charizard (PSA 10)`, and that grade."""
    for pattern in (_IN_NAME, _ASIDE):
        match = pattern.search(name)
        plain = " ".join(pattern.sub(" ", name).split())
        if match and plain:
            return plain, match["grade"]
    return name, ""
