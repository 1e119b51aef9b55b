"""Names that look like settings but are not: a misspelt setting would be ignored silently."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from pydantic import AliasChoices
from pydantic_settings import DotEnvSettingsSource

from pokewatch.settings.section import PREFIX, Section, home_folder

_LIKENESS = 0.8  # of a name to the one that may have been meant

# Names of this project that are no settings: of the image, of the scripts of k8s, of the tests.
OTHER_NAMES = frozenset(
    {
        "POKEWATCH_GIT_COMMIT",
        "POKEWATCH_IMAGE",
        "POKEWATCH_KEY",
        "POKEWATCH_URL",
        "POKEWATCH_REQUIRE_TOOLS",
        "POKEWATCH_SHARED_DATA",
        "POKEWATCH_TEST_KUBECONFIG",
        "POKEWATCH_TEST_URL",
    }
)


def unknown_settings(sections: Iterable[type[Section]]) -> list[str]:
    """Return a text for each name that no section has: in the environment and `settings.env`.

    Of the environment these are names with the prefix, of the file also names like a setting's.
    Raise SettingsError if the file cannot be read.
    """
    Section.read()
    known = {name for section in sections for name in _names(section)}
    path = home_folder() / "settings.env"
    here = [name for name in sorted(os.environ) if name.upper().startswith(PREFIX)]
    written = [name for name in _names_in(path) if name.startswith(PREFIX) or _near(name, known)]
    return [
        _text(name, place, known)
        for names, place in ((here, "the environment"), (written, str(path)))
        for name in names
        if name.upper() not in known | OTHER_NAMES
    ]


def _names(section: type[Section]) -> Iterable[str]:
    for name, field in section.model_fields.items():
        alias = field.validation_alias
        yield from map(str, alias.choices if isinstance(alias, AliasChoices) else ())
        yield section.variable(name)


def _names_in(path: Path) -> list[str]:
    return [name.upper() for name in DotEnvSettingsSource(Section, env_file=path).env_vars]


def _near(name: str, known: set[str]) -> str | None:
    """Return the setting that may have been meant: spelt alike, else with all words of `name`."""
    name = name.upper()
    if not name.startswith(PREFIX):
        return next(iter(get_close_matches(name, known, 1, _LIKENESS)), None)
    # The prefix, which all of them have, would make any two short names alike.
    parts = {each.removeprefix(PREFIX): each for each in sorted(known)}
    part = name.removeprefix(PREFIX)
    words = set(part.split("_"))
    alike = get_close_matches(part, parts, 1, _LIKENESS)
    longer = sorted((each for each in parts if words <= set(each.split("_"))), key=len)
    return next((parts[each] for each in (*alike, *longer)), None)


def _text(name: str, place: str, known: set[str]) -> str:
    near = _near(name, known)
    hint = f"did you mean {near}?" if near else "the settings are listed in docs/settings.md"
    return f"{name} in {place} is not a setting and is ignored: {hint}"
