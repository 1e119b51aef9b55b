"""Text as a keyboard would write it, from what people type and what spreadsheets export."""

import re
import unicodedata

_NOT_PLAIN = ("<super>", "<sub>", "<fraction>", "<circle>")  # kinds of digits

# Marks without width, which copied text may carry: they would make two names of one.
INVISIBLE_PATTERN = "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"


def plain(text: str) -> str:
    """Return the text with ASCII digits and marks of numbers, without invisible characters.

    A raised or lowered digit stays one: it may mark a footnote.
    """
    if text.isascii():
        return text
    visible = re.sub(INVISIBLE_PATTERN, "", text)
    letters = "".join(
        letter
        if unicodedata.decomposition(letter).startswith(_NOT_PLAIN)
        else unicodedata.normalize("NFKC", letter)
        for letter in visible
    )
    return "".join(
        str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in letters
    )


def without_apostrophe(text: str) -> str:
    """Return the text without the apostrophe by which spreadsheets mark a number as text."""
    return text.removeprefix("'").removeprefix("\u2019")
