"""What every step of a flow imports before it does anything."""

import subprocess
import sys

from tests.conftest import ROOT

# Each takes a tenth of a second or more, in every process of a run.
HEAVY = ("pandas", "pyarrow", "numpy", "scipy", "matplotlib", "mlflow", "dvc", "httpx", "lightgbm")


def test_a_step_imports_no_library_before_it_needs_it() -> None:
    code = "import base, cards, monitor_cards, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "flows",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "cards" in loaded
    assert [name for name in HEAVY if name in loaded] == []
