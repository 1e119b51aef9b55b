"""Conditions and languages of copies as apps and marketplaces write them."""

from pokewatch.contract import Condition
from pokewatch.market.tabular.text import simplified

_CONDITIONS: dict[str, Condition] = {
    "nm": "NM",
    "near_mint": "NM",
    "m": "NM",
    "mint": "NM",
    "nearmint": "NM",
    "unopened": "NM",
    "lp": "LP",
    "lightly_played": "LP",
    "lightlyplayed": "LP",
    "light_play": "LP",
    "lightplayed": "LP",
    "light_played": "LP",
    "excellent": "LP",
    "good_lightly_played": "LP",
    "sp": "LP",
    "slightly_played": "LP",
    "mp": "MP",
    "moderately_played": "MP",
    "moderatelyplayed": "MP",
    "played": "MP",
    "heavilyplayed": "HP",
    "hp": "HP",
    "heavily_played": "HP",
    "dmg": "DMG",
    "damaged": "DMG",
    "poor": "DMG",
}
# Cardmarket's grades are those of Europe: its LP is a copy that is called MP in the United States.
_EUROPEAN: dict[str, Condition] = {
    "1": "NM",
    "2": "NM",
    "3": "LP",
    "4": "MP",
    "5": "MP",
    "6": "HP",
    "7": "DMG",
    "mt": "NM",
    "nm": "NM",
    "ex": "LP",
    "excellent": "LP",
    "gd": "MP",
    "good": "MP",
    "lp": "MP",
    "light_played": "MP",
    "pl": "HP",
    "played": "HP",
    "po": "DMG",
    "poor": "DMG",
}
# As `idLanguage` of Cardmarket and as the codes of other apps.
_LANGUAGES = {
    "1": "English",
    "2": "French",
    "3": "German",
    "4": "Spanish",
    "5": "Italian",
    "6": "Chinese",
    "7": "Japanese",
    "8": "Portuguese",
    "9": "Russian",
    "10": "Korean",
    "en": "English",
    "fr": "French",
    "de": "German",
    "es": "Spanish",
    "it": "Italian",
    "zh": "Chinese",
    "ja": "Japanese",
    "jp": "Japanese",
    "pt": "Portuguese",
    "ru": "Russian",
    "ko": "Korean",
    "international": "English",
}


def condition_of(text: str, european: bool = False) -> Condition | None:
    """Return a condition; near mint for a blank one, None for one that is not known."""
    name = simplified(text)
    if not name:
        return "NM"
    return (_EUROPEAN.get(name) if european else None) or _CONDITIONS.get(name)


def language_of(text: str) -> str:
    """Return a language by its English name, "" for a blank one."""
    plain = text.strip()
    return _LANGUAGES.get(plain.casefold(), plain.title())
