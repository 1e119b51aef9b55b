from pathlib import Path

import pytest

from pokewatch.errors import RegistryError
from pokewatch.serving.champion import fetch_champion


def test_without_one_the_reason_is_told(home: Path) -> None:
    with pytest.raises(RegistryError, match=r"^no model is champion yet: run the pipeline first"):
        fetch_champion(120)


def test_a_registry_that_does_not_answer_in_time(home: Path) -> None:
    with pytest.raises(RegistryError, match=r"could not be fetched within 0\.001 s"):
        fetch_champion(0.001)
