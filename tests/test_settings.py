import errno
import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from pokewatch.errors import SettingsError
from pokewatch.settings import (
    CanarySettings,
    DecisionSettings,
    ExperimentSettings,
    GateSettings,
    GatewaySettings,
    Home,
    MarketSettings,
    MonitorSettings,
    PriceWatchSettings,
    QualitySettings,
    RegistrySettings,
    RetentionSettings,
    Section,
    ServingSettings,
    VersionSettings,
    sections,
    unknown_names,
)
from pokewatch.settings.unknown import OTHER_NAMES
from pokewatch.watches.address_guard import parse_target
from tests.conftest import ROOT


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


@pytest.mark.parametrize("variable", ["POKEWATCH_HOME", "HOME"])
def test_a_home_that_is_not_utf_8_is_refused(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's and DVC's addresses could not name it."""
    monkeypatch.delenv("POKEWATCH_HOME")
    monkeypatch.setenv(variable, os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    with pytest.raises(SettingsError, match=r"POKEWATCH_HOME .*the path is not UTF-8"):
        Home.read()
    with pytest.raises(SettingsError, match=r"POKEWATCH_HOME .*the path is not UTF-8"):
        RegistrySettings.read()


def test_a_value_that_is_not_utf_8_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_BRANCH", "caf\udce9")
    with pytest.raises(SettingsError) as raised:
        RegistrySettings.read()
    assert str(raised.value) == r"POKEWATCH_BRANCH 'caf\udce9': use UTF-8"


def test_a_home_that_cannot_be_written_to_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Home.read().require_writable()
    assert list(home.iterdir()) == []

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    with pytest.raises(SettingsError, match=f"{home}.*No space left on device.*free some space"):
        Home.read().require_writable()


@pytest.mark.parametrize(
    ("section", "variable", "value"),
    [
        (ServingSettings, "POKEWATCH_MLSERVER_HTTP_PORT", "70000"),
        (ServingSettings, "POKEWATCH_MLSERVER_HTTP_PORT", "http"),
        (DecisionSettings, "POKEWATCH_BUY_THRESHOLD_PCT", "10"),
        (DecisionSettings, "POKEWATCH_SELL_THRESHOLD_PCT", "nan"),
        (GatewaySettings, "POKEWATCH_GATEWAY_PORT", "-1"),
        (QualitySettings, "POKEWATCH_QUALITY_MAX_PRICE", "30000000"),
    ],
    ids=["too-large", "no-number", "wrong-sign", "nan", "negative", "no-price-of-a-book"],
)
def test_a_bad_value_names_variable_and_value(
    section: type[Section], variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable) as caught:
        section.read()
    assert value in str(caught.value)


@pytest.mark.parametrize(
    ("section", "variable", "value", "remedy"),
    [
        (CanarySettings, "CANARY_STEPS", "0.5,0.1", "put the shares in ascending order, each once"),
        (RetentionSettings, "KEEP_DAYS", "10", "must be 0 or at least 40, got 10"),
        *(
            (
                GatewaySettings,
                "TRUSTED_PROXIES",
                value,
                "use addresses such as 10.0.0.5, or networks such as 10.0.0.0/8",
            )
            for value in ("*", "proxy", "10.0.0.5/8")
        ),
    ],
)
def test_a_remedy_of_our_own_is_shown_as_it_is(
    section: type[Section],
    variable: str,
    value: str,
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"POKEWATCH_{variable}", value)
    with pytest.raises(SettingsError) as caught:
        section.read()
    assert str(caught.value) == f"POKEWATCH_{variable} {value!r}: {remedy}"


@pytest.mark.parametrize(
    ("section", "low", "high", "value"),
    [
        (GateSettings, "GATE_INTERVAL_LOW", "GATE_INTERVAL_HIGH", "0.95"),
        (MonitorSettings, "MONITOR_COVERAGE_LOW", "MONITOR_COVERAGE_HIGH", "0.95"),
        (ExperimentSettings, "EXPERIMENT_SHORTEST_DAYS", "EXPERIMENT_LONGEST_DAYS", "181"),
    ],
)
def test_a_low_limit_above_the_high_one_is_refused(
    section: type[Section], low: str, high: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"POKEWATCH_{low}", value)
    with pytest.raises(SettingsError, match=f"^POKEWATCH_{high} .*{value} of POKEWATCH_{low}, or"):
        section.read()
    monkeypatch.setenv(f"POKEWATCH_{high}", value)
    assert section.read()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("./mlruns", "./mlruns"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///", "sqlite:///"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://me:s3cret@host/db", "postgresql://host/db"),
        ("mysql://me:s3/c@ret@host/db", "mysql://host/db"),
        ("databricks", "databricks"),
    ],
)
def test_other_registries_than_sqlite_and_servers_are_refused(
    address: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow would take some, and put artifacts into ./mlruns, or all into memory."""
    monkeypatch.setenv("POKEWATCH_MLFLOW_TRACKING_URI", address)
    with pytest.raises(SettingsError) as caught:
        RegistrySettings.read()
    remedy = "use sqlite:///PATH, or the http:// address of an MLflow server"
    assert str(caught.value) == f"POKEWATCH_MLFLOW_TRACKING_URI {shown!r}: {remedy}"


@pytest.mark.parametrize(
    "address", ["sqlite:///a.db", "sqlite:////tmp/a b.db", "http://me:pw@host:5000", "https://host"]
)
def test_addresses_of_registries(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert RegistrySettings.read().tracking_uri() == address


def test_hosts_of_webhooks_are_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of the addresses that they are compared with."""
    monkeypatch.setenv("POKEWATCH_WEBHOOK_HOSTS", "Hooks.Internal")
    hosts = PriceWatchSettings.read().webhook_hosts
    assert parse_target("https://HOOKS.internal/", hosts).host in hosts


@pytest.mark.parametrize(
    ("section", "variable", "value"),
    [
        (MarketSettings, "POKEWATCH_MARKETS", "simulated-1,Magic Cards"),
        (RegistrySettings, "POKEWATCH_MARKET", "Magic Cards"),
    ],
)
def test_the_form_of_a_market_is_given_in_words(
    section: type[Section], variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"^{variable} 'Magic Cards': use lower-case letters"):
        section.read()


def test_a_market_that_is_listed_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_MARKETS", "simulated-2, simulated-1,simulated-2")
    assert MarketSettings.read().markets == ("simulated-2", "simulated-1")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POKEWATCH_MLSERVER_URL", "http://:8080"),
        ("POKEWATCH_MLSERVER_URL", "http://host:99999"),
        ("POKEWATCH_MARKET_URLS", "simulated-1=http://:80"),
        ("POKEWATCH_REDIS_URL", "s3cret:6379"),
        ("POKEWATCH_REDIS_URL", "redis://:s3cret@host:port/0"),
        ("POKEWATCH_REDIS_URL", "redis://me:s3cret#x@host/0"),
    ],
)
def test_an_address_without_host_or_port_names_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable) as caught:
        GatewaySettings.read()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "variable", "value"),
    [
        (ServingSettings, "POKEWATCH_MLSERVER_HOST", "300.0.0.1"),
        (ServingSettings, "POKEWATCH_MLSERVER_HOST", "two words"),
        (ServingSettings, "POKEWATCH_MLSERVER_HOST", "http://127.0.0.1"),
        (ServingSettings, "POKEWATCH_MLSERVER_URLS", "localhost:8080"),
        (ServingSettings, "POKEWATCH_MLSERVER_URLS", "http://a:8080, http://"),
        (ServingSettings, "POKEWATCH_MLSERVER_URLS", "dns+http://replicas:99999"),
        (ServingSettings, "POKEWATCH_BRANCH_MLSERVER_URLS", "http://300.0.0.1:8080"),
        (GatewaySettings, "POKEWATCH_GATEWAY_HOST", "a..b"),
        (GatewaySettings, "POKEWATCH_GATEWAY_METRICS_HOST", "::1::"),
        (GatewaySettings, "POKEWATCH_MLSERVER_URL", "http://two words:8080"),
        (VersionSettings, "POKEWATCH_DVC_ENDPOINT_URL", "minio:9000"),
    ],
)
def test_an_address_that_no_program_could_use_names_its_variable(
    section: type[Section], variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a pipeline has run for an hour, to fail at its deploy."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=re.escape(f"{variable} {value!r}: use ")):
        section.read()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "fe80::1%eth0", "my_server", "localhost", "ä.de"]
)
def test_hosts(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_MLSERVER_HOST", host)
    assert ServingSettings.read().mlserver_host == host


def test_addresses_of_mlservers(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "dns+http://replicas:8080, https://[::1]:8443/"
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", text)
    assert ServingSettings.read().addresses() == ["dns+http://replicas:8080", "https://[::1]:8443"]


@pytest.mark.parametrize(
    "url", ["redis://", "redis:///1", "rediss://:pw@[::1]:6380/0", "unix:///r"]
)
def test_addresses_of_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_REDIS_URL", url)
    found = GatewaySettings.read().redis_url
    assert found is not None
    assert found.get_secret_value() == url


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


def test_a_name_that_no_section_has_is_named_with_the_one_that_was_meant(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_PAGE", "key")
    monkeypatch.setenv("POKEWATCH_QUITE_SOMETHING_ELSE", "1")
    file = home / "settings.env"
    file.write_text("POKEWATCH_GATEWAY_PROT=1\nPOKEMON_PRICES_API_KEY=secret\nAWS_REGION=x\n")
    found = unknown_names()
    ignored = "is not a setting and is ignored"
    assert found == [
        f"POKEWATCH_PAGE in the environment {ignored}: did you mean POKEWATCH_PAGES?",
        f"POKEWATCH_QUITE_SOMETHING_ELSE in the environment {ignored}: the settings are listed in "
        "docs/settings.md",
        f"POKEWATCH_GATEWAY_PROT in {file} {ignored}: did you mean POKEWATCH_GATEWAY_PORT?",
        f"POKEMON_PRICES_API_KEY in {file} {ignored}: did you mean POKEMON_PRICE_API_KEY?",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        pytest.param("PORT", "GATEWAY_PORT", id="part of a name"),
        pytest.param("METRICS_PORT", "GATEWAY_METRICS_PORT", id="parts of a name"),
        pytest.param("BUY_TRESHOLD", "BUY_THRESHOLD_PCT", id="misspelt"),
        pytest.param("DEBUG", None, id="only the prefix alike"),
    ],
)
def test_what_was_meant_is_found_by_more_than_the_prefix(
    name: str, meant: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"POKEWATCH_{name}", "1")
    hint = f"did you mean POKEWATCH_{meant}?" if meant else "the settings are listed in"
    (found,) = unknown_names()
    assert f"is ignored: {hint}" in found


def test_all_names_of_the_project_are_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of settings in any case, and those that scripts, images and tests read."""
    files = [*ROOT.glob("k8s/**/*.sh"), *ROOT.glob("k8s/**/*.yaml"), ROOT / "Dockerfile"]
    files += [*ROOT.glob("flows/*.py"), ROOT / "Makefile"]
    listing = ROOT / "pokewatch" / "settings" / "unknown.py"
    files += [path for path in ROOT.glob("pokewatch/**/*.py") if path != listing]
    files += [ROOT / "tests/conftest.py", ROOT / "tests/tools.py"]
    files += ROOT.glob("tests/cluster/*.py")
    names = {
        name
        for file in files
        for name in re.findall(r"\bPOKEWATCH_[A-Z_]*[A-Z]\b", file.read_text())
    }
    settings = {section.variable(name) for section in sections() for name in section.model_fields}
    assert {"POKEWATCH_KEY", "POKEWATCH_GIT_COMMIT", "POKEWATCH_SHARED_DATA"} <= names
    assert names >= OTHER_NAMES
    for name in names | settings | {"MLFLOW_TRACKING_URI", "pokewatch_pages"}:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("POKEWATCH_HOME", str(home))
    (home / "settings.env").write_text("mlflow_tracking_uri=x\nPOKEWATCH_PAGES=key\n")
    assert unknown_names() == []


@pytest.mark.parametrize(("command", "warned"), [("run", True), ("step", False)])
def test_a_flow_warns_of_such_a_name_once(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    warned: bool,
) -> None:
    monkeypatch.setattr(os, "environ", os.environ | {"POKEWATCH_PAGE": "key"})
    monkeypatch.setattr(sys, "argv", ["flow.py", command])
    runpy.run_path(str(ROOT / "flows/environment.py"))
    assert ("did you mean POKEWATCH_PAGES?" in capsys.readouterr().err) == warned


def closed_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process one of another user, whom the permissions of others hold for."""
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).stat().st_mode & mode == mode)


def test_files_that_another_user_closed_are_found(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.chmod(0o777)
    (home / "lost+found").mkdir(mode=0o700)
    (home / "books").mkdir()
    (home / "books" / "prices").touch()
    (home / "books" / "prices").chmod(0o444)
    (home / "books").chmod(0o555)
    (home / "link").symlink_to("/")
    assert list(Home.read().closed()) == []
    closed_to_others(monkeypatch)
    assert list(Home.read().closed()) == []
    Home.read().require_own()
    for name, mode in (("read", 0o600), ("written", 0o644), ("neither", 0o666)):
        (home / name).touch()
        (home / name).chmod(mode)
    (home / "folder").mkdir()
    (home / "folder" / "within").touch()
    assert list(Home.read().closed()) == [home / "folder", home / "read", home / "written"]
    with pytest.raises(SettingsError) as raised:
        Home.read().require_own()
    remedy = f'sudo chown -R "$(id -un)" {home}'
    assert (
        str(raised.value) == f"{home / 'folder'} belongs to another user, as after sudo: {remedy}"
    )


def test_a_home_that_is_closed_is_named_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    home.chmod(0o700)
    closed_to_others(monkeypatch)
    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(SettingsError) as raised:
        Home.read()
    assert str(raised.value) == (
        f"POKEWATCH_HOME '{home}': cannot be accessed (Permission denied); "
        "use a folder of this user"
    )
    with pytest.raises(SettingsError, match=re.escape(str(raised.value))):
        unknown_names()
    home.chmod(0o755)
    with pytest.raises(SettingsError, match=r"settings\.env cannot be read"):
        Home.read()
