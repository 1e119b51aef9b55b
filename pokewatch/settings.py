"""Settings: one class a concern. Environment over `$POKEWATCH_HOME/settings.env` over default.

Nothing is read at import: call `read()` where the value is needed. A malformed value raises SettingsError naming the
variable and the value; secrets are never shown.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import quote

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pokewatch.errors import SettingsError

PREFIX = "POKEWATCH_"
_PLAIN_IN_URI = "/ !\"$&'()*+,;:=@[]{}~"  # `?`, `#`, `%` and what is not ASCII are quoted
TCGCSV_URL = "https://tcgcsv.com"


def listed(text: str) -> list[str]:
    """ "3, 85" as ["3", "85"]; "" as []."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _listed(value: Any) -> Any:
    return listed(value) if isinstance(value, str) else value


Port = Annotated[int, Field(ge=0, le=65535)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
Numbers = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


def home_folder() -> Path:
    """The folder that holds all state: POKEWATCH_HOME, or `~/.pokewatch`."""
    given = os.environ.get(f"{PREFIX}HOME") or "~/.pokewatch"
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:
        raise SettingsError(
            f"{PREFIX}HOME {given!r}: there is no such user; give the path of a folder"
        ) from None


class _Section(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = home_folder() / "settings.env"
        try:
            file = DotEnvSettingsSource(settings_cls, env_file=path)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path} cannot be read ({error}): make it a readable file of UTF-8 text"
            ) from None
        return init_settings, env_settings, file

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The section as the environment has it; `given` values go before it, None meaning "not given"."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            faults = "; ".join(cls._fault(dict(fault)) for fault in error.errors())
            raise SettingsError(faults) from None

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of the field `name`."""
        alias = cls.model_fields[name].validation_alias
        if isinstance(alias, AliasChoices):
            return str(alias.choices[0])
        return str(alias) if alias else f"{PREFIX}{name}".upper()

    @classmethod
    def _fault(cls, fault: dict[str, Any]) -> str:
        location = str(fault["loc"][0]) if fault["loc"] else cls.__name__
        named = {cls.variable(name).lower(): name for name in cls.model_fields}
        name = location if location in cls.model_fields else named.get(location.lower(), location)
        variable = cls.variable(name) if name in cls.model_fields else location
        secret = name in cls.model_fields and _is_secret(cls.model_fields[name])
        value = "" if secret else f" {fault['input']!r}"
        return f"{variable}{value}: {_wanted(fault)}"


_WANTED = {
    "int_parsing": "use a whole number",
    "int_from_float": "use a whole number",
    "float_parsing": "use a number",
    "finite_number": "use a finite number",
    "bool_parsing": "use true or false",
    "greater_than": "use a number above {gt}",
    "greater_than_equal": "use a number of at least {ge}",
    "less_than": "use a number below {lt}",
    "less_than_equal": "use a number of at most {le}",
    "literal_error": "use {expected}",
    "too_short": "give at least {min_length}, separated by commas",
    "string_pattern_mismatch": "use a value that matches {pattern}",
}


def _wanted(fault: Mapping[str, Any]) -> str:
    """What would do in place of the value at fault."""
    template = _WANTED.get(fault["type"])
    return template.format(**fault.get("ctx", {})) if template else str(fault["msg"])


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


class Home(_Section):
    """Where everything is kept."""

    home: Path = Field(
        default_factory=home_folder,
        description="Folder that holds all state: lakes, versions, models, books, keys.",
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    def make(self) -> Path:
        """Make the folder where it is missing, and keep other users out of it.

        Raises OSError, and SettingsError for a path that DVC or MLflow would take for another.
        """
        if found := re.search(r"[\\,*\[\]{}\x00-\x1f\x7f]|%\(|::", str(self.home)):
            raise SettingsError(
                f"{self.variable('home')} {str(self.home)!r}: a path with {found[0]!r} in it cannot be used; name the folder without"
            )
        return private_folder(self.home)

    @property
    def lakes(self) -> Path:
        return self.home / "lake"

    @property
    def books(self) -> Path:
        return self.home / "books"

    @property
    def versions(self) -> Path:
        return self.home / "versions"

    @property
    def monitoring(self) -> Path:
        return self.home / "monitoring"

    @property
    def keys(self) -> Path:
        return self.home / "keys.sqlite"


def private_folder(folder: Path) -> Path:
    """Make `folder` one that no other user can look into, with its parents where there are none.

    Raises OSError. One that belongs to another user is left as it is.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.stat()
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def prepare() -> None:
    """Check every setting and make the home. Raises SettingsError."""
    for section in sections():
        section.read()
    home = Home.read()
    try:
        home.make()
    except OSError as error:
        raise SettingsError(
            f"{Home.variable('home')} {str(home.home)!r}: it cannot be made or entered ({error.strerror}); use a folder of yours"
        ) from None


class SourceSettings(_Section):
    """Where prices come from."""

    tcgcsv_url: HttpUrl = Field(
        TCGCSV_URL, description="TCGCSV's address, or that of a mirror with the same paths."
    )
    tcgcsv_categories: Numbers = Field(
        (3, 85), min_length=1, description="TCGplayer categories: 3 is Pokémon, 85 Pokémon Japan."
    )
    tcgcsv_pause: float | None = Field(
        None,
        ge=0,
        le=60,
        description="Seconds between two requests. Default: 0.1 for TCGCSV itself, as it asks for; 0 for another address.",
    )
    pokemon_price_url: HttpUrl = Field(
        "https://www.pokemonpricetracker.com/api/v2", description="PokemonPriceTracker's address."
    )
    pokemon_price_api_key: SecretStr | None = Field(
        None,
        validation_alias="POKEMON_PRICE_API_KEY",
        description="PokemonPriceTracker's API key. No default: that source needs one.",
    )
    pokemon_price_sets: Names = Field(
        (),
        description="Ids of the PokemonPriceTracker sets to collect, by comma. Default: every set.",
    )
    pokemon_price_language: Literal["english", "japanese"] = Field(
        "english", description="Which cards PokemonPriceTracker is asked for."
    )
    file_path: Path | None = Field(
        None, description="The file of the source `file`: text, a workbook or Parquet."
    )
    file_columns: str = Field(
        "",
        description="Its columns where their names do not tell: `market_price=trend,card_id=sku`.",
    )
    file_currency: Literal["USD", "EUR"] = Field(
        "USD", description="Its currency where no column, cell or header names one."
    )
    file_dates: Literal["ymd", "dmy", "mdy"] | None = Field(
        None, description="Order of day and month in its dates. Default: inferred from the column."
    )
    file_decimal: Literal["point", "comma"] | None = Field(
        None, description="Its decimal mark. Default: inferred from the column."
    )
    file_encoding: str | None = Field(
        None, description="Its encoding, such as shift_jis. Default: inferred."
    )
    file_key: Names = Field(
        (), description="Comma-separated columns that tell cards apart beside the card's id: `grade`."
    )
    http_timeout: float = Field(
        15.0, gt=0, le=600, description="Seconds a source may stay silent before it is asked again."
    )
    http_attempts: int = Field(
        4, ge=1, le=20, description="How often a busy or silent source is asked before giving up."
    )

    def pause(self) -> float:
        """Seconds between two requests to TCGCSV."""
        if self.tcgcsv_pause is not None:
            return self.tcgcsv_pause
        return 0.1 if self.tcgcsv_url.rstrip("/") == TCGCSV_URL else 0.0


class QualitySettings(_Section):
    """When a row or a day of prices is not to be believed."""

    quality_max_price: float = Field(
        1_000_000.0, gt=0, description="No card costs more: a row above is quarantined."
    )
    quality_min_coverage: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least share of the previous day's cards a day must have. Default: 0.9; 0 for a panel of one's own.",
    )
    quality_max_jumps: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Largest share of cards whose price may change fivefold within a day.",
    )
    quality_max_unchanged: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Largest share of prices that may repeat the day before. Default: 0.98; 1 for a panel of one's own.",
    )
    quality_max_quarantine: float = Field(
        0.02, ge=0, le=1, description="Largest share of a day's rows that may be quarantined."
    )
    quality_min_cards: int = Field(
        100, ge=1, description="Cards two days must share before jumps and repeats are judged."
    )


class VersionSettings(_Section):
    """Data versions (DVC)."""

    dvc_remote: str = Field(
        "",
        description="DVC remote to push to: a folder or s3://bucket/path. Default: `dvc-remote` in POKEWATCH_HOME.",
    )

    dvc_endpoint_url: str = Field(
        "",
        description="Endpoint of an S3-compatible remote (MinIO, DagsHub); credentials come from AWS_*.",
    )

    def remote(self) -> str:
        return self.dvc_remote or str(home_folder() / "dvc-remote")


class RegistrySettings(_Section):
    """The model registry (MLflow)."""

    mlflow_tracking_uri: str = Field(
        "",
        validation_alias=AliasChoices("POKEWATCH_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
        description="MLflow tracking URI (sqlite:///..., http://..., DagsHub's). Default: an SQLite file in POKEWATCH_HOME.",
    )
    model_name: str = Field("pokewatch", description="Name of the registered model.")
    branch: str = Field(
        "",
        pattern=r"^[\w.-]*$",
        description="Whose aliases are meant: a branch's, such as test.mine. Default: production's.",
    )
    books_kept: int = Field(
        8, ge=3, description="Price books that stay on this machine: the last that were asked for."
    )

    def tracking_uri(self) -> str:
        path = quote(str(home_folder() / "mlflow" / "mlflow.db"), safe=_PLAIN_IN_URI)
        return self.mlflow_tracking_uri or f"sqlite:///{path}"

    def is_embedded(self) -> bool:
        """Return whether the registry is a file of this machine."""
        return self.tracking_uri().startswith("sqlite:///")


class DecisionSettings(_Section):
    """When to buy and when to sell (fractions of the fair price)."""

    buy_threshold_pct: float = Field(
        -0.10,
        le=0,
        gt=-1,
        allow_inf_nan=False,
        description="BUY at or below this deviation from the fair price.",
    )
    sell_threshold_pct: float = Field(
        0.15,
        ge=0,
        allow_inf_nan=False,
        description="SELL at or above this deviation from the fair price.",
    )


class GateSettings(_Section):
    """What a model must show before it ships."""

    gate_mape: float = Field(
        15.0,
        gt=0,
        allow_inf_nan=False,
        description="Largest mean error of the fair price, in percent.",
    )
    gate_coverage_rate: float = Field(
        0.90, ge=0, le=1, description="Least share of quoted cards that must get a fair price."
    )
    gate_interval_low: float = Field(
        0.86, ge=0, le=1, description="Least share of later prices inside the 90% interval."
    )
    gate_interval_high: float = Field(
        0.94, ge=0, le=1, description="Largest share of later prices inside the 90% interval."
    )
    gate_interval_rows: int = Field(
        500, ge=1, description="Card-days it takes to hold the interval to those two."
    )


class ServingSettings(_Section):
    """MLServer."""

    mlserver_host: str = Field("127.0.0.1", description="Address MLServer listens on.")
    mlserver_http_port: Port = Field(8080, description="MLServer's REST port.")
    mlserver_grpc_port: Port = Field(8081, description="MLServer's gRPC port.")
    mlserver_metrics_port: Port = Field(8082, description="MLServer's metrics port.")
    mlserver_names: Names = Field(
        ("*.svc", "*.svc.cluster.local"),
        description="Comma-separated names that requests to MLServer may be addressed to (Host), *.name for each one below it. "
        "IP addresses and names without a dot always may.",
    )
    mlserver_models: Path | None = Field(
        None, description="Folder MLServer starts from. Default: the one that comes with PokeWatch."
    )
    max_rows: int = Field(
        10_000, ge=1, description="Rows that one V2 request to a runtime may have."
    )
    max_body_bytes: int = Field(
        8 * 1024 * 1024,
        ge=1024,
        description="Largest body, unpacked, of a REST request to MLServer.",
    )
    max_body_seconds: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest time the body of such a request may take to arrive.",
    )
    load_timeout: float = Field(
        120.0,
        gt=0,
        description="Seconds that asking the registry for the champion and fetching its book may take.",
    )
    mlserver_urls: str = Field(
        "",
        description="REST addresses of the MLServers that a deploy reloads, by comma; dns+http://name:port is each one of that name. "
        "Default: the one on this machine.",
    )
    branch_mlserver_urls: str = Field(
        "", description="The same for deploys of a branch. Default: none is reloaded."
    )

    def addresses(self, branch: str = "") -> list[str]:
        """Return the REST address of every MLServer that a deploy of the branch reloads."""
        if branch:
            return [address.rstrip("/") for address in listed(self.branch_mlserver_urls)]
        given = [address.rstrip("/") for address in listed(self.mlserver_urls)]
        return given or [f"http://127.0.0.1:{self.mlserver_http_port}"]


class GatewaySettings(_Section):
    """The gateway."""

    gateway_host: str = Field("127.0.0.1", description="Address the gateway listens on.")
    gateway_port: Port = Field(8000, description="The gateway's port.")
    gateway_metrics_host: str = Field(
        "127.0.0.1", description="Address the gateway's metrics are at."
    )
    gateway_metrics_port: Port = Field(8083, description="Port of the gateway's metrics.")
    mlserver_url: str = Field(
        "http://127.0.0.1:8080",
        pattern=r"^https?://[^/\s]+",
        description="MLServer's REST address, as the gateway reaches it.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis for the rate limits that several gateways share. Default: limits in memory.",
    )
    answer_cache: bool = Field(
        True, description="Keep answers until the model or the data changes."
    )
    answer_cache_mb: int = Field(
        64, ge=1, le=65_536, description="Most memory for kept answers, in MiB."
    )
    stale_seconds: float = Field(
        900,
        ge=0,
        allow_inf_nan=False,
        description="Oldest answer given, marked stale, while MLServer is down; 0 gives none.",
    )
    body_bytes: int = Field(
        262_144,
        ge=1_024,
        description="Largest request body the gateway reads; of a single card, 16,384 at most.",
    )
    body_seconds: float = Field(
        10,
        gt=0,
        allow_inf_nan=False,
        description="Longest time a request's headers, or its body, may take to arrive.",
    )
    connect_seconds: float = Field(
        1, gt=0, allow_inf_nan=False, description="Longest time to connect to MLServer."
    )
    upstream_seconds: float = Field(
        2,
        gt=0,
        allow_inf_nan=False,
        description="Longest time one exchange with MLServer may take.",
    )
    deadline_seconds: float = Field(
        3,
        gt=0,
        allow_inf_nan=False,
        description="Longest wait for a turn, and again for the answer, before a request gets 504.",
    )
    in_flight: int = Field(
        2,
        ge=1,
        le=64,
        description="Calls to MLServer at a time, of each kind; requests arriving meanwhile share the next.",
    )
    queue_rows: int = Field(
        20_000, ge=1, description="Cards waiting or in calls beyond which requests get 503."
    )
    breaker_failures: int = Field(
        5, ge=1, description="Failures in a row after which MLServer is left alone for a while."
    )
    breaker_seconds: float = Field(
        1,
        gt=0,
        allow_inf_nan=False,
        description="How long at first; each failed try doubles it, to 10 s.",
    )
    failed_key_rate: str = Field(
        "30/minute",
        pattern=r"^(none|[1-9][0-9]{0,8}/(second|minute|hour|day))$",
        description="Requests without a valid key an address may make.",
    )
    watch_seconds: float = Field(
        0.5,
        gt=0,
        le=60,
        description="How often the gateway asks MLServer which versions it serves.",
    )
    ready_data_days: int = Field(
        0,
        ge=0,
        description="Age of the newest prices, in days, beyond which /ready answers 503; 0 only reports it.",
    )
    access_log: bool = Field(True, description="One JSON line a request on standard output.")
    drain_seconds: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="On SIGTERM, time between /ready turning 503 and the end of new connections.",
    )
    stop_seconds: int = Field(
        20, ge=1, description="Longest time that open requests may take to end after that."
    )


class DeploySettings(_Section):
    """What a deploy waits for, and what it refuses."""

    deploy_wait_seconds: float = Field(
        600.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a deploy waits for others of the same registry.",
    )
    deploy_lease_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="How long a deploy may show no sign of life before the next one settles what it left.",
    )
    deploy_missing_cards: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of the champion's cards that a new version may lack.",
    )


class WatchSettings(_Section):
    """How a new model is watched after its deploy; beyond a limit the former champion is put back."""

    deploy_watch_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="How long the running MLServers are watched; 0 does not watch. Where none runs there is no wait.",
    )
    deploy_watch_cards: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Cards of the book that each MLServer is asked for, again and again.",
    )
    deploy_watch_shift: float = Field(
        0.25,
        gt=0,
        allow_inf_nan=False,
        description="Largest change of their fair over market price against the former champion, median.",
    )
    deploy_watch_errors: float = Field(
        0.02, ge=0, le=1, description="Largest share of requests that may fail."
    )
    deploy_watch_p95_seconds: float = Field(
        0.5,
        gt=0,
        allow_inf_nan=False,
        description="Time within which 95% of requests must be answered, in seconds.",
    )


class MonitorSettings(_Section):
    """When what monitoring measures is too much, and the models are trained again."""

    monitor_coverage_low: float = Field(
        0.86, ge=0, le=1, description="Least share of the prices that came inside the 90% interval."
    )
    monitor_coverage_high: float = Field(
        0.94,
        ge=0,
        le=1,
        description="Largest share of the prices that came inside the 90% interval.",
    )
    monitor_rmae: float = Field(
        1.1,
        gt=0,
        allow_inf_nan=False,
        description="Largest error of the fair prices, as a multiple of the last prices' error.",
    )
    monitor_bias: float = Field(
        0.05,
        gt=0,
        allow_inf_nan=False,
        description="Largest mean of log fair price less log price that came, either way.",
    )
    monitor_reliability: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Largest mean distance of the confidence from the share that came true.",
    )
    monitor_rows: int = Field(500, ge=1, description="Card-days it takes to judge any of these.")
    monitor_drift: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="Largest shift of the prices coming in, as a share of what is far beyond chance.",
    )
    monitor_stale_hours: float = Field(
        36.0,
        gt=0,
        allow_inf_nan=False,
        description="Age of the newest prices beyond which people are told.",
    )
    retrain: bool = Field(
        True, description="Train the models again where monitoring finds too much."
    )
    retrain_cooldown_days: int = Field(
        7, ge=0, description="Days of prices after that, before they are trained again."
    )


class NotifySettings(_Section):
    """Who is told what happens: runs that end, models refused, deployed or rolled back, drift, stale data."""

    notify_urls: SecretStr = Field(
        SecretStr(""),
        description="Apprise addresses (slack://..., mailto://..., json://...) by comma. Default: nobody is told.",
    )
    notify_window_hours: float = Field(
        12.0,
        ge=0,
        allow_inf_nan=False,
        description="How long the same event is not told again to the same address.",
    )

    def addresses(self) -> list[str]:
        """Each address; they hold secrets."""
        return listed(self.notify_urls.get_secret_value())


def sections() -> list[type[_Section]]:
    """Every class of settings, in the order of this module."""
    return [section for section in _Section.__subclasses__() if section.__module__ == __name__]
