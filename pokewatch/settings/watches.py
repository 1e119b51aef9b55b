"""Settings of watches and their webhooks."""

from pydantic import Field, SecretStr

from pokewatch.settings.section import Section
from pokewatch.settings.values import Hosts


class PriceWatchSettings(Section):
    """Watches on cards, and the webhooks that report crossings."""

    watches_url: SecretStr | None = Field(
        None,
        description="Database of the watches, postgresql://USER:PASSWORD@HOST/DATABASE or "
        "sqlite:///PATH; one for all markets. Default: an SQLite file in POKEWATCH_HOME.",
    )
    watches_per_key: int = Field(
        100, ge=1, le=1_000, description="Largest number of watches of one API key."
    )
    webhook_hosts: Hosts = Field(
        (),
        description="Comma-separated hosts that webhooks may reach at private addresses too. "
        "Default: none.",
    )
    webhook_seconds: float = Field(
        10.0,
        gt=0,
        le=60,
        description="Seconds in which the receiver of a webhook must answer.",
    )
