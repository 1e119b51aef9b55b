"""A whole home, tidied a long time later: what is served stays as it is."""

import json
import os
import resource
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from pokewatch.cli.main import main
from pokewatch.errors import VersionError
from pokewatch.pipeline.storage import open_panel, open_raw_lake
from pokewatch.registry import CHAMPION, PREVIOUS, Registry
from pokewatch.retention.sizes import folder_sizes
from pokewatch.retention.tidy import tidy
from pokewatch.settings import RegistrySettings, RetentionSettings
from tests.champion import make_champion

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_what_is_served_and_what_a_rollback_would_serve_stay(registry_home: Path) -> None:
    registry = Registry()
    versions = [make_champion(cards=8, days=40, seed=seed).model.version for seed in range(5)]
    registry.set_alias(PREVIOUS, versions[0])
    soon = datetime.now(UTC) + timedelta(days=100)
    first = list(tidy(now=soon))
    assert [each.name for each in first] == ["price book of model version 2"]
    assert [each.fault for each in first] == [""]
    later = list(tidy(now=soon + timedelta(days=10)))
    assert [each.fault for each in later] == [""]
    assert later[0].name.endswith("files of data versions")

    shutil.rmtree(registry_home / "versions")
    shutil.rmtree(registry_home / "books")
    for alias in (CHAMPION, PREVIOUS):
        model = registry.resolve(alias)
        assert len(registry.open_book(model).cards) == 8
        assert open_panel(model.data_version).cards == 8
        assert open_raw_lake(model.tags["raw_version"]).days()
    assert list(tidy(now=soon + timedelta(days=20))) == []


@pytest.mark.slow
def test_what_any_market_cites_stays(registry_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    markets = ["", "simulated-1"]
    for number, market in enumerate(markets):
        monkeypatch.setenv("POKEWATCH_MARKET", market)
        versions = [
            make_champion(cards=8, days=40, seed=10 * number + each).model.version
            for each in range(5)
        ]
        Registry().set_alias(PREVIOUS, versions[0])
    monkeypatch.delenv("POKEWATCH_MARKET")
    foreign = RegistrySettings.read(model_name="another")
    run_id = Registry(foreign).log_run(
        registry_home / "books" / Registry().resolve().digest,
        parameters={},
        metrics={},
        tags={"data_version": Registry().version("2").data_version},
    )
    Registry(foreign).register(run_id, "0" * 64)

    later = datetime.now(UTC) + timedelta(days=100)
    monkeypatch.setenv("POKEWATCH_MARKET", "simulated-1")
    first = list(tidy(now=later))
    assert [(each.name, each.fault) for each in first] == [
        (f"price book of model version 2{suffix}", "") for suffix in ("", " of simulated-1")
    ]
    second = list(tidy(now=later + timedelta(days=10)))
    assert [each.fault for each in second] == [""]

    monkeypatch.delenv("POKEWATCH_MARKET")
    for folder in ("versions", "books", "lake"):
        shutil.rmtree(registry_home / folder)
    for market in markets:
        registry = Registry(RegistrySettings.read(market=market))
        for alias in (CHAMPION, PREVIOUS):
            model = registry.resolve(alias)
            assert len(registry.open_book(model).cards) == 8
            assert open_panel(model.data_version).cards == 8
            assert open_raw_lake(model.tags["raw_version"]).days()
    assert open_panel(Registry().version("2").data_version), "another registered model cites it"
    with pytest.raises(VersionError):
        open_panel(Registry(RegistrySettings.read(market="simulated-1")).version("2").data_version)


def test_a_rule_that_fails_does_not_stop_the_others(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (registry_home / ".shard-x").mkdir()
    found = list(tidy(now=datetime.now(UTC) + timedelta(days=9)))
    assert [bool(each.fault) for each in found] == [False, True]
    assert "the model versions cannot be listed" in found[1].fault
    assert not (registry_home / ".shard-x").exists()


def test_a_disk_without_room_for_a_byte_is_tidied(home: Path) -> None:
    run = home / ".metaflow" / "PokeWatchFlow" / "1" / "start" / "1" / "0.DONE.lock"
    unused = home / "dvc-remote" / "files" / "md5" / "ab" / ("c" * 30)
    seen = home / "dvc-remote" / "unreferenced.json"
    for path in (run, unused, seen):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1_000_000_000, 1_000_000_000))
    seen.write_text(json.dumps({f"ab{unused.name}": "2001-09-09T00:00:00+00:00"}))

    done = subprocess.run(
        [sys.executable, "-m", "pokewatch.cli.main", "tidy"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.exists(), done.stdout
    assert not unused.exists(), done.stdout


def test_the_command_shows_what_it_removes_and_refuses_short_times(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_champion(cards=8, days=40)
    done = CliRunner().invoke(main, ["tidy", "--dry-run"])
    assert (done.exit_code, done.output) == (0, "0.0 MB would be freed\n")
    done = CliRunner().invoke(main, ["tidy", "--json"])
    assert (done.exit_code, json.loads(done.output)) == (0, [])
    monkeypatch.setenv("POKEWATCH_KEEP_DAYS", "39")
    done = CliRunner().invoke(main, ["tidy"])
    assert done.exit_code == 2
    assert "POKEWATCH_KEEP_DAYS" in done.output
    assert "0 or at least 40, got 39" in done.output


def test_nothing_is_removed_where_everything_is_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_KEEP_DAYS", "0")
    assert RetentionSettings.read().keep_days == 0
    (home / ".shard-x").mkdir()
    assert list(tidy(now=datetime.now(UTC) + timedelta(days=999))) == []


def test_sizes_are_given_by_folder(tmp_path: Path) -> None:
    for name, size in (("a", 10), ("b", 30), ("c", 20)):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "file").write_bytes(b"x" * size)
    assert folder_sizes(tmp_path) == {"b": 30, "c": 20, "a": 10}
