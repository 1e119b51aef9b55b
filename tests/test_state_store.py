"""What is kept, on this machine, in a folder and on S3."""

from pathlib import Path

import pytest

from pokewatch.state_store import StateStore
from tests.serving.server import free_ports


def test_what_was_written_last_is_read(place: str, home: Path) -> None:
    kept = StateStore()
    assert kept.read("told.json") is None
    assert kept.names("history") == []
    for text in ("first", "s\N{LATIN SMALL LETTER E WITH ACUTE}cond"):
        kept.write("told.json", text)
    kept.write("history/2026-02-01/0000.json", "b")
    kept.write("history/2026-01-31/0001.json", "a")
    assert StateStore().read("told.json") == "s\N{LATIN SMALL LETTER E WITH ACUTE}cond"
    assert StateStore().names("history") == [
        "history/2026-01-31/0001.json",
        "history/2026-02-01/0000.json",
    ]
    assert StateStore().names("history/2026-02-01") == ["history/2026-02-01/0000.json"]
    assert (home / "monitoring" / "told.json").exists() is (place == "")


def test_another_machine_finds_it(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StateStore().write("told.json", "known")
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / "elsewhere"))
    assert StateStore().read("told.json") == ("known" if place else None)


@pytest.mark.parametrize(
    "credentials",
    [{}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}],
    ids=["nobody", "somebody"],
)
def test_a_place_that_cannot_be_reached_is_an_os_error(
    credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", "s3://data/nowhere")
    monkeypatch.setenv("POKEWATCH_DVC_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name, value in credentials.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OSError, match="data/nowhere/monitoring"):
        StateStore().read("told.json")
