import shutil
from pathlib import Path

import pytest

from pokewatch.errors import RegistryError
from pokewatch.registry import CHAMPION, Registry
from pokewatch.serving.champion import fetch_champion
from pokewatch.serving.measured import REMEMBERED


def test_without_one_the_reason_is_told(home: Path) -> None:
    with pytest.raises(RegistryError, match=r"^no model is champion yet: run the pipeline first"):
        fetch_champion(120)


def test_a_registry_that_does_not_answer_in_time(home: Path) -> None:
    with pytest.raises(RegistryError, match=r"could not be fetched within 0\.001 s"):
        fetch_champion(0.001)


@pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)  # MLflow's models on SQLAlchemy 2.1
def test_the_champion_comes_with_what_monitoring_measured(
    home: Path, champion_folder: Path
) -> None:
    shutil.copytree(champion_folder, home, dirs_exist_ok=True)
    assert fetch_champion(120).measured == ""
    Registry().set_state(REMEMBERED, '{"measured_on": "2026-03-02", "figures": {}}')
    champion = fetch_champion(120)
    assert champion.version == Registry().resolve(CHAMPION).version
    assert champion.measured == '{"measured_on": "2026-03-02", "figures": {}}'
