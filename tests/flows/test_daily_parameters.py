import os
from types import SimpleNamespace

import pytest

from pokewatch.valuation.cpu_count import cpu_count
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [("local", None, str(cpu_count())), ("local", "5", "5"), ("kubernetes", None, None)],
)
def test_a_run_on_this_machine_has_as_many_tasks_at_once_as_cpus(
    target: str, given: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from daily_parameters import WorkersByCpu

    names = ("METAFLOW_RUN_MAX_WORKERS", "METAFLOW_RESUME_MAX_WORKERS")
    for name in names:
        monkeypatch.setenv(name, given or "")
        if given is None:
            monkeypatch.delenv(name)
    flow = SimpleNamespace(configs=[("deploy", {"target": target})])
    WorkersByCpu().pre_mutate(flow)
    assert [os.environ.get(name) for name in names] == [expected] * 2
