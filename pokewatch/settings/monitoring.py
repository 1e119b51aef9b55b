"""Settings of monitoring and notifications."""

from typing import Annotated

from pydantic import Field, SecretStr

from pokewatch.settings.section import Section
from pokewatch.settings.values import listed, not_below


class MonitorSettings(Section):
    """Monitoring and retraining."""

    monitor_coverage_low: float = Field(
        0.86, ge=0, le=1, description="Smallest share of later prices inside the 90% interval."
    )
    monitor_coverage_high: Annotated[float, not_below("monitor_coverage_low")] = Field(
        0.94,
        ge=0,
        le=1,
        description="Largest share of later prices inside the 90% interval, of those that were "
        "renewed.",
    )
    monitor_rmae: float = Field(
        1.1,
        gt=0,
        allow_inf_nan=False,
        description="Largest error of the fair price, as a multiple of the last price's error.",
    )
    monitor_bias: float = Field(
        0.05,
        gt=0,
        allow_inf_nan=False,
        description="Largest absolute mean of log fair price minus log later price.",
    )
    monitor_reliability: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Largest mean difference between the confidence and the share that was "
        "correct.",
    )
    monitor_rows: int = Field(
        500, ge=1, description="Card-days needed to apply any of these limits."
    )
    monitor_drift: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="Largest drift of incoming prices, as a share of a shift far beyond chance.",
    )
    monitor_stale_hours: float = Field(
        36.0,
        gt=0,
        allow_inf_nan=False,
        description="Age of the newest prices, in hours, above which a notification is sent.",
    )
    retrain: bool = Field(
        True, description="Retrain the models when monitoring finds a limit exceeded."
    )
    retrain_cooldown_days: int = Field(
        7, ge=0, description="Days of prices between two retrainings."
    )


class ExperimentSettings(Section):
    """Experiments: when the test of a challenger ends. A running one keeps the values it has."""

    experiment_evidence: float = Field(
        20.0,
        gt=1,
        allow_inf_nan=False,
        description="The e-value from which a challenger is promoted, and from which one that is "
        "worse is given up: 20 is a level of 1 in 20.",
    )
    experiment_spread: float = Field(
        0.15,
        gt=0,
        le=1,
        description="Standard deviation of the daily differences that the test assumes. Where they "
        "spread more, the observed one is used.",
    )
    experiment_shortest_days: int = Field(
        28, ge=1, description="Days of forecasts before which an experiment is not decided."
    )
    experiment_longest_days: Annotated[int, not_below("experiment_shortest_days")] = Field(
        180, ge=1, description="Days of forecasts after which an experiment is stopped."
    )


class NotifySettings(Section):
    """Notifications: finished runs, models refused, deployed or rolled back, drift, stale data."""

    notify_urls: SecretStr = Field(
        SecretStr(""),
        description="Comma-separated Apprise addresses (slack://..., mailto://..., json://...). "
        "Default: none.",
    )
    notify_window_hours: float = Field(
        12.0,
        ge=0,
        allow_inf_nan=False,
        description="Hours during which the same event is not sent again to the same address.",
    )

    def addresses(self) -> list[str]:
        """Return the addresses, which contain secrets."""
        return listed(self.notify_urls.get_secret_value())
