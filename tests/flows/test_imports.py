"""What the steps of a flow import before they need it: each process of a run does so again."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Each takes a tenth of a second or more.
HEAVY = ("pandas", "scipy", "matplotlib", "mlflow", "dvc", "lightgbm", "pandera")
FUNCTIONS = (
    "pokewatch.deploy.rollout",
    "pokewatch.pipeline.collect",
    "pokewatch.pipeline.experiments",
    "pokewatch.pipeline.processing",
    "pokewatch.pipeline.registration",
    "pokewatch.pipeline.training",
    "pokewatch.pipeline.watches",
    "pokewatch.retention.tidy",
)


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        pytest.param(
            ("base", "cards", "monitor_cards"), (*HEAVY, "numpy", "pyarrow", "httpx"), id="flow"
        ),
        pytest.param(FUNCTIONS, HEAVY, id="what its steps call"),
    ],
)
def test_a_step_imports_no_library_before_it_needs_it(
    modules: tuple[str, ...], heavy: tuple[str, ...]
) -> None:
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "flows",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {*modules} <= {*loaded}
    assert [name for name in heavy if name in loaded] == []
