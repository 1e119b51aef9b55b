"""The errors of a step that Metaflow retries, in real runs."""

from pathlib import Path

import pytest

from tests.integration.flow import run_flow

pytestmark = pytest.mark.integration

FAILING = Path(__file__).with_name("failing_flow.py")


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        pytest.param("GateError", 1, id="gate"),
        pytest.param("DeployBusyError", 1, id="deploy", marks=pytest.mark.slow),
        pytest.param("SourceError", 3, id="source"),
        pytest.param("QualityError", 1, id="quality", marks=pytest.mark.slow),
        pytest.param("SettingsError", 1, id="settings", marks=pytest.mark.slow),
        pytest.param("RegistryError", 3, id="registry", marks=pytest.mark.slow),
    ],
)
def test_only_errors_that_may_pass_are_retried(
    error: str, attempts: int, home: Path, tmp_path: Path
) -> None:
    log = tmp_path / "attempts"
    failed = run_flow(tmp_path, "run", "--error", error, "--attempts", str(log), flow=FAILING)
    assert failed.returncode == 1, failed.stdout
    assert len(log.read_text()) == attempts, failed.stdout
    assert ("not today" if error == "SourceError" else "as requested") in failed.stdout
    assert "internal error" not in failed.stdout
    assert "Step failure:" in failed.stdout, "Metaflow names the task that failed"


def test_a_step_on_a_full_disk_ends_in_one_line(home: Path, tmp_path: Path) -> None:
    log = tmp_path / "attempts"
    failed = run_flow(tmp_path, "run", "--error", "full disk", "--attempts", str(log), flow=FAILING)
    assert failed.returncode == 1, failed.stdout
    assert "Error: No space left on device; free some space" in failed.stdout
    assert "Traceback" not in failed.stdout
