import shutil
from pathlib import Path

import pytest

from pokewatch.errors import RegistryError
from pokewatch.registry import CHAMPION, Registry
from pokewatch.serving.champion import fetch_version
from pokewatch.serving.monitoring_figures import MONITORING_KEY


def test_without_a_champion_the_error_says_why(home: Path) -> None:
    with pytest.raises(RegistryError, match=r"^no model is champion yet: run the pipeline first"):
        fetch_version(120)


def test_an_unresponsive_registry_times_out(home: Path) -> None:
    with pytest.raises(RegistryError, match=r"could not be fetched within 0\.001 s"):
        fetch_version(0.001)


def test_the_champion_carries_the_monitoring_figures(home: Path, champion_folder: Path) -> None:
    shutil.copytree(champion_folder, home, dirs_exist_ok=True)
    assert fetch_version(120).state == ""
    Registry().set_state(MONITORING_KEY, '{"measured_on": "2026-03-02", "figures": {}}')
    champion = fetch_version(120)
    assert champion.version == Registry().resolve(CHAMPION).version
    assert champion.state == '{"measured_on": "2026-03-02", "figures": {}}'
