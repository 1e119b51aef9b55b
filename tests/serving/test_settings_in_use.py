import pytest

from pokewatch.serving.settings_in_use import SettingsInUse
from pokewatch.settings import DecisionSettings


def test_the_digest_is_of_the_settings_that_models_keep_and_of_those_read_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = SettingsInUse()
    used.read("decision")
    used.read("fair-price")
    before = used.digest()
    assert before == DecisionSettings.read().digest()
    monkeypatch.setenv("POKEWATCH_BUY_THRESHOLD_PCT", "-0.9")
    changed = used.digest()
    used.read("decision")
    used.read("fair-price")
    assert used.digest() == DecisionSettings.read().digest()
    assert len({before, changed, used.digest()}) == 3
