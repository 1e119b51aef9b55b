"""Settings of the registry, the decision, the gate and deploys."""

import re
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote

from pydantic import AliasChoices, Field

from pokewatch.contract import MARKET_PATTERN, Fees
from pokewatch.settings.section import Section, home_folder
from pokewatch.settings.values import Market, RegistryUri, Shares, not_below

_PLAIN_IN_URI = "/ !\"$&'()*+,;:=@[]{}~"  # `?`, `#`, `%` and non-ASCII characters are quoted

_CONDITION = (
    "Price of a {} copy as a fraction of the fair price, which is that of a near mint copy. The "
    "default is an assumption."
)


class RegistrySettings(Section):
    """Model registry (MLflow)."""

    mlflow_tracking_uri: RegistryUri = Field(
        "",
        validation_alias=AliasChoices("POKEWATCH_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
        description="MLflow tracking URI, sqlite:///PATH or the http:// address of a server. "
        "Default: an SQLite file in POKEWATCH_HOME.",
    )
    model_name: str = Field(
        "pokewatch",
        description="Name of the registered model, followed by a hyphen and the market where one "
        "is named. Other installations on the same MLflow server need names that do not begin "
        "with it.",
    )
    branch: str = Field(
        "",
        pattern=r"^[\w.-]*$",
        description="Branch whose aliases are used, such as test.mine. Default: production.",
    )
    market: Market = Field(
        "",
        description="Market whose registered model, lake and price book are used, such as "
        "magic-tcgplayer-usd. Default: the only one of the home.",
    )
    books_kept: int = Field(
        3,
        ge=3,
        description="Price books of each market to keep on this machine, the most recently used.",
    )

    def registered_model(self) -> str:
        """Return the name of the registered model of the market."""
        return f"{self.model_name}-{self.market}" if self.market else self.model_name

    def market_of(self, registered_model: str) -> str | None:
        """Return the market of a registered model, "" for one that is not named.

        None if the model does not belong to this installation.
        """
        pattern = f"{re.escape(self.model_name)}(?:-({MARKET_PATTERN}))?"
        found = re.fullmatch(pattern, registered_model)
        return (found[1] or "") if found else None

    def tracking_uri(self) -> str:
        path = quote(str(home_folder() / "mlflow" / "mlflow.db"), safe=_PLAIN_IN_URI)
        return self.mlflow_tracking_uri or f"sqlite:///{path}"

    def is_embedded(self) -> bool:
        """Return whether the registry is an SQLite file on this machine."""
        return self.tracking_uri().startswith("sqlite:///")


class DecisionSettings(Section):
    """Trading rule (fractions of the fair price) and advice in money."""

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
    advice_probability: float = Field(
        0.8,
        ge=0.5,
        le=0.95,
        description="Probability with which a purchase at `buy_below` must earn, and with which a "
        "sale at `sell_above` must beat keeping.",
    )
    fees: Fees | None = Field(
        None,
        description="Marketplace whose fees apply. Default: by the currency of the prices, "
        "tcgplayer for USD and cardmarket for EUR.",
    )
    postage: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Postage of one card that a buyer pays, in the currency of the prices. "
        "Default, an assumption: USD 1.30 (tcgplayer, ebay), EUR 1.25 (cardmarket).",
    )
    condition_lp: float = Field(0.85, gt=0, le=1, description=_CONDITION.format("lightly played"))
    condition_mp: float = Field(
        0.70, gt=0, le=1, description=_CONDITION.format("moderately played")
    )
    condition_hp: float = Field(0.50, gt=0, le=1, description=_CONDITION.format("heavily played"))
    condition_dmg: float = Field(0.35, gt=0, le=1, description=_CONDITION.format("damaged"))

    def digest(self) -> str:
        """Return a text that is the same for the same values."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def condition_factors(self) -> dict[str, float]:
        """Return the price of a copy in each condition, as a fraction of a near mint one's."""
        return {
            "NM": 1.0,
            "LP": self.condition_lp,
            "MP": self.condition_mp,
            "HP": self.condition_hp,
            "DMG": self.condition_dmg,
        }


class GateSettings(Section):
    """Gate: what a model must achieve to be deployed."""

    gate_mape: float = Field(
        15.0,
        gt=0,
        allow_inf_nan=False,
        description="Largest mean absolute error of the fair price, in percent, without the "
        "largest 1% of the errors.",
    )
    gate_coverage_rate: float = Field(
        0.90,
        ge=0,
        le=1,
        description="Smallest share of cards with a market price that must get a fair price.",
    )
    gate_interval_low: float = Field(
        0.86, ge=0, le=1, description="Smallest share of later prices inside the 90% interval."
    )
    gate_interval_high: Annotated[float, not_below("gate_interval_low")] = Field(
        0.94,
        ge=0,
        le=1,
        description="Largest share of later prices inside the 90% interval, of those that were "
        "renewed.",
    )
    gate_interval_rows: int = Field(
        500, ge=1, description="Card-days needed to apply these two limits."
    )
    gate_champion_margin: float = Field(
        0.005,
        ge=0,
        allow_inf_nan=False,
        description="Largest upper end of the 95% interval of the error in excess of the "
        "champion's, as a share of the last price's error.",
    )


class DeploySettings(Section):
    """Deploys."""

    deploy_wait_seconds: float = Field(
        600.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that a deploy waits for another one on the same registry.",
    )
    deploy_lease_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds without a heartbeat after which the next deploy takes over from a "
        "dead one.",
    )
    deploy_missing_cards: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of the champion's cards that may be missing from a new version.",
    )


class DeployWatchSettings(Section):
    """Checks of the MLServers after a deploy; if one fails, the previous champion is restored."""

    deploy_watch_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="Seconds to observe the running MLServers; 0 skips the checks, and so "
        "does having no MLServer running.",
    )
    deploy_watch_cards: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Cards of the book to request from each MLServer, repeatedly.",
    )
    deploy_watch_shift: float = Field(
        0.25,
        gt=0,
        allow_inf_nan=False,
        description="Largest median change of the ratio of fair to market price, against the "
        "previous champion.",
    )
    deploy_watch_errors: float = Field(
        0.02, ge=0, le=1, description="Largest share of requests that may fail."
    )
    deploy_watch_p95_seconds: float = Field(
        0.5,
        gt=0,
        allow_inf_nan=False,
        description="Largest 95th percentile of the response time, in seconds.",
    )


class CanarySettings(Section):
    """Deploys in steps: gateways send a version more and more callers before it is champion."""

    canary_replicas: int = Field(
        2,
        ge=0,
        description="Running MLServers from which on a deploy takes these steps; with fewer, all "
        "callers get the new version at once. 0: never.",
    )
    canary_steps: Shares = Field(
        (0.01, 0.1, 0.5, 1.0),
        description="Comma-separated shares of the callers, one for each step, such as 0.01,0.1,1.",
    )
    canary_step_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Seconds of a step, during which its checks must pass.",
    )
