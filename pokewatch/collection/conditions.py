"""Conditions and languages of copies as apps and marketplaces write them."""

from collections.abc import Iterable, Mapping

from pokewatch.contract import Condition
from pokewatch.market.tabular.header_rows import simplified

_CONDITIONS: dict[str, Condition] = {
    "nm": "NM",
    "near_mint": "NM",
    "m": "NM",
    "mint": "NM",
    "mt": "NM",
    "nearmint": "NM",
    "unopened": "NM",
    "sealed": "NM",
    "new": "NM",
    "raw": "NM",
    "ungraded": "NM",
    "gem_mint": "NM",
    "pack_fresh": "NM",
    "near_mint_or_better": "NM",
    "neuwertig": "NM",
    "proche_du_neuf": "NM",
    "casi_nueva": "NM",
    "quasi_nova": "NM",
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
    "slight_played": "LP",
    "light": "LP",
    "ex": "LP",
    "leicht_gespielt": "LP",
    "légèrement_jouée": "LP",
    "mp": "MP",
    "moderately_played": "MP",
    "moderatelyplayed": "MP",
    "moderate_play": "MP",
    "moderate_played": "MP",
    "moderate": "MP",
    "played": "MP",
    "pl": "MP",
    "good": "MP",
    "gd": "MP",
    "very_good": "MP",
    "vg": "MP",
    "heavilyplayed": "HP",
    "hp": "HP",
    "heavily_played": "HP",
    "heavy_play": "HP",
    "heavy_played": "HP",
    "heavy": "HP",
    "dmg": "DMG",
    "damaged": "DMG",
    "d": "DMG",
    "dm": "DMG",
    "beschädigt": "DMG",
    "poor": "DMG",
    "po": "DMG",
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
    "lightplayed": "MP",
    "lightly_played": "MP",
    "pl": "HP",
    "played": "HP",
    "po": "DMG",
    "poor": "DMG",
}
# In a list that no app wrote, grades that only Europe has say what those that both have mean.
_ONLY_EUROPEAN = frozenset({"mt", "ex", "excellent", "gd", "po"})
_AMERICAN = frozenset(name for name, grade in _CONDITIONS.items() if grade != "NM") - set(_EUROPEAN)
_DIFFERENT = frozenset(
    name for name in _CONDITIONS.keys() & _EUROPEAN if _CONDITIONS[name] != _EUROPEAN[name]
)
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
    "eng": "English",
    "us": "English",
    "uk": "English",
    "englisch": "English",
    "anglais": "English",
    "inglés": "English",
    "ingles": "English",
    "inglese": "English",
    "inglês": "English",
    "英語": "English",
    "jpn": "Japanese",
    "jap": "Japanese",
    "japan": "Japanese",
    "japanisch": "Japanese",
    "japonais": "Japanese",
    "japonés": "Japanese",
    "japones": "Japanese",
    "giapponese": "Japanese",
    "japonês": "Japanese",
    "日本語": "Japanese",
    "deutsch": "German",
    "ger": "German",
    "deu": "German",
    "allemand": "German",
    "français": "French",
    "francais": "French",
    "französisch": "French",
    "fra": "French",
    "italiano": "Italian",
    "italienisch": "Italian",
    "ita": "Italian",
    "español": "Spanish",
    "spanisch": "Spanish",
    "spa": "Spanish",
    "sp": "Spanish",
    "português": "Portuguese",
    "kor": "Korean",
    "kr": "Korean",
    "chs": "Chinese",
    "cht": "Chinese",
    "zhs": "Chinese",
    "zht": "Chinese",
    "cn": "Chinese",
    "international": "English",
}
# The languages, other than English, that the names of cards and sets may contain.
FOREIGN_LANGUAGES = (set(_LANGUAGES.values()) - {"English"}) | {
    *("Thai", "Indonesian", "Dutch", "Polish"),
}


def are_european(texts: Iterable[str]) -> bool:
    """Return whether a column's grades are those of Europe, with one that means another elsewhere.

    A list with EX and LP tells them apart, so its LP is below EX. One with MP, HP or DMG too has
    grades of the United States.
    """
    names = set(map(simplified, set(texts)))
    return not names.isdisjoint(_ONLY_EUROPEAN) and (
        names.isdisjoint(_AMERICAN) and not names.isdisjoint(_DIFFERENT)
    )


def condition_of(text: str, european: bool = False) -> Condition | None:
    """Return a condition; near mint for a blank one, None for one that is not known."""
    name = simplified(text)
    if not name:
        return "NM"
    named = {**_CONDITIONS, **_EUROPEAN} if european else _CONDITIONS
    return named.get(name) or _named_twice(name.split("_"), named)


def _named_twice(words: list[str], named: Mapping[str, Condition]) -> Condition | None:
    """Return a condition written twice, as in `Near Mint (NM)`, None where the two differ."""
    for at in range(1, len(words)):
        first = named.get("_".join(words[:at]))
        if first is not None and first == named.get("_".join(words[at:])):
            return first
    return None


def language_of(text: str) -> str:
    """Return a language by its English name, "" for a blank one.

    What a locale or parentheses add does not count: "en_US" is English, as is "English (UK)".
    """
    plain = text.partition("(")[0].strip() or text.strip()
    code, *region = plain.replace("_", "-").split("-")
    if len(code) == 2 and region:
        plain = code if code.casefold() in _LANGUAGES else plain
    if "chinese" in plain.casefold():
        return "Chinese"
    return _LANGUAGES.get(plain.casefold(), plain.title())
