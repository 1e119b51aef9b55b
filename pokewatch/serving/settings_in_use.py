"""The settings by which this process judges prices.

A model reads them when it is made and keeps them, whatever is written to `settings.env` after that;
queries of the catalogue read them each time.
"""

from pokewatch.settings import DecisionSettings


class SettingsInUse:
    """The settings that each model of this process has read."""

    def __init__(self) -> None:
        self._of_models: dict[str, DecisionSettings] = {}

    def read(self, model: str) -> DecisionSettings:
        """Return the settings for a model that is being made."""
        found = self._of_models[model] = DecisionSettings.read()
        return found

    def digest(self) -> str:
        """Return a text that differs where answers to the same question may differ."""
        used = {each.digest() for each in (DecisionSettings.read(), *self._of_models.values())}
        return "-".join(sorted(used))


SETTINGS_IN_USE = SettingsInUse()
