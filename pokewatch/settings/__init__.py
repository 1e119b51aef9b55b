"""Settings, by concern; see `section` for where their values come from."""

from pokewatch.errors import SettingsError
from pokewatch.settings.events import EventSettings
from pokewatch.settings.gateway import ClientSettings, GatewaySettings
from pokewatch.settings.home import Home, private_folder
from pokewatch.settings.market import (
    MarketSettings,
    QualitySettings,
    SourceSettings,
    VersionSettings,
)
from pokewatch.settings.models import (
    CanarySettings,
    DecisionSettings,
    DeploySettings,
    DeployWatchSettings,
    GateSettings,
    RegistrySettings,
)
from pokewatch.settings.monitoring import ExperimentSettings, MonitorSettings, NotifySettings
from pokewatch.settings.retention import RetentionSettings
from pokewatch.settings.section import Section, home_folder
from pokewatch.settings.serving import ServingSettings
from pokewatch.settings.tracing import TracingSettings
from pokewatch.settings.unknown import unknown_settings
from pokewatch.settings.values import listed
from pokewatch.settings.watches import PriceWatchSettings

__all__ = [
    "CanarySettings",
    "ClientSettings",
    "DecisionSettings",
    "DeploySettings",
    "DeployWatchSettings",
    "EventSettings",
    "ExperimentSettings",
    "GateSettings",
    "GatewaySettings",
    "Home",
    "MarketSettings",
    "MonitorSettings",
    "NotifySettings",
    "PriceWatchSettings",
    "QualitySettings",
    "RegistrySettings",
    "RetentionSettings",
    "Section",
    "ServingSettings",
    "SourceSettings",
    "TracingSettings",
    "VersionSettings",
    "home_folder",
    "listed",
    "prepare",
    "private_folder",
    "sections",
    "unknown_names",
]


def sections() -> list[type[Section]]:
    """Return every class of settings, in the order of the documentation."""
    return [
        Home,
        SourceSettings,
        MarketSettings,
        QualitySettings,
        VersionSettings,
        RetentionSettings,
        RegistrySettings,
        DecisionSettings,
        GateSettings,
        ServingSettings,
        GatewaySettings,
        ClientSettings,
        EventSettings,
        DeploySettings,
        DeployWatchSettings,
        CanarySettings,
        MonitorSettings,
        ExperimentSettings,
        NotifySettings,
        PriceWatchSettings,
        TracingSettings,
    ]


def unknown_names() -> list[str]:
    """Return a text for each name that looks like a setting but is not one."""
    return unknown_settings(sections())


def prepare() -> None:
    """Check every setting and create the home folder. Raise SettingsError."""
    for section in sections():
        section.read()
    home = Home.read()
    try:
        home.make()
    except OSError as error:
        raise SettingsError(
            f"{Home.variable('home')} {str(home.home)!r}: cannot be created or accessed "
            f"({error.strerror}); use a writable folder"
        ) from None
