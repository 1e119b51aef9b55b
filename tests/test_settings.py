from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from pokewatch.errors import SettingsError
from pokewatch.settings import (
    DecisionSettings,
    GatewaySettings,
    Home,
    RegistrySettings,
    Section,
    ServingSettings,
    VersionSettings,
)


class Vault(Section):
    password: SecretStr = Field(SecretStr(""), max_length=4, description="A secret.")


def test_environment_goes_before_file_before_default(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ServingSettings.read().mlserver_http_port == 8080
    (home / "settings.env").write_text("POKEWATCH_MLSERVER_HTTP_PORT=9001\n")
    assert ServingSettings.read().mlserver_http_port == 9001
    monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", "9002")
    assert ServingSettings.read().mlserver_http_port == 9002
    assert ServingSettings.read(mlserver_http_port=9003).mlserver_http_port == 9003
    assert ServingSettings.read(mlserver_http_port=None).mlserver_http_port == 9002


def test_home_is_read_from_the_environment_and_made_absolute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", "~/cards")
    assert Home.read().home == Path("~/cards").expanduser()
    monkeypatch.delenv("POKEWATCH_HOME")
    assert Home.read().home == Path("~/.pokewatch").expanduser()


@pytest.mark.parametrize(
    ("section", "variable", "value"),
    [
        (ServingSettings, "POKEWATCH_MLSERVER_HTTP_PORT", "70000"),
        (ServingSettings, "POKEWATCH_MLSERVER_HTTP_PORT", "http"),
        (DecisionSettings, "POKEWATCH_BUY_THRESHOLD_PCT", "10"),
        (DecisionSettings, "POKEWATCH_SELL_THRESHOLD_PCT", "nan"),
        (GatewaySettings, "POKEWATCH_GATEWAY_PORT", "-1"),
    ],
    ids=["too-large", "no-number", "wrong-sign", "nan", "negative"],
)
def test_a_bad_value_names_variable_and_value(
    section: type[Section], variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable) as caught:
        section.read()
    assert value in str(caught.value)


def test_a_secret_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_PASSWORD", "too long a secret")
    with pytest.raises(SettingsError, match="POKEWATCH_PASSWORD") as caught:
        Vault.read()
    assert "too long a secret" not in str(caught.value)


def test_an_alias_is_read_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert RegistrySettings.read().tracking_uri() == "http://mlflow:5000"
    monkeypatch.setenv("POKEWATCH_MLFLOW_TRACKING_URI", "http://other:5000")
    assert RegistrySettings.read().tracking_uri() == "http://other:5000"


def test_everything_is_below_home_by_default(home: Path) -> None:
    assert RegistrySettings.read().tracking_uri() == f"sqlite:///{home}/mlflow/mlflow.db"
    assert VersionSettings.read().remote() == f"{home}/dvc-remote"
