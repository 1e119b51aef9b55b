"""The aliases that a run on a branch moves."""

from pathlib import Path

import pytest

from pokewatch.registry import Registry
from pokewatch.settings import RegistrySettings
from tests.integration.flow import run_flow
from tests.monitoring.listener import listening

pytestmark = pytest.mark.integration

BRANCH = Path(__file__).with_name("branch_flow.py")


@pytest.mark.parametrize(
    ("options", "registry", "alias"),
    [
        pytest.param((), "", "champion", id="this machine", marks=pytest.mark.slow),
        pytest.param(("--branch", "mine"), "", "champion--test-mine", id="branch"),
        pytest.param(
            (), "http://127.0.0.1:9", "champion--user-ann", id="user", marks=pytest.mark.slow
        ),
        pytest.param(
            ("--production",),
            "http://127.0.0.1:9",
            "champion",
            id="production",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("--production", "--branch", "next"),
            "",
            "champion--prod-next",
            id="second",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_aliases_belong_to_the_branch(
    options: tuple[str, ...], registry: str, alias: str, home: Path, tmp_path: Path
) -> None:
    settings = {"POKEWATCH_MLFLOW_TRACKING_URI": registry, "METAFLOW_USER": "ann"}
    done = run_flow(tmp_path, *options, "run", flow=BRANCH, **settings)
    assert done.returncode == 0, done.stdout
    expected = f"the aliases are {alias}, with {' '.join(options) or 'no option'}\n"
    assert expected in done.stdout, "another flow is run on the same branch"


@pytest.mark.slow
def test_notifications_of_the_end_belong_to_the_branch(registry_home: Path, tmp_path: Path) -> None:
    """One that a branch sent keeps none of production's back."""
    with listening() as listener:
        settings = {"POKEWATCH_NOTIFY_URLS": listener.address}
        done = run_flow(tmp_path, "--branch", "mine", "run", flow=BRANCH, **settings)
    assert done.returncode == 0, done.stdout
    assert any(title.endswith("succeeded") for title in listener.titles())
    assert not Registry().get_state("notified")
    assert Registry(RegistrySettings.read(branch="test.mine")).get_state("notified")
