"""Settings of the event log."""

from pydantic import Field

from pokewatch.settings.section import Section


class EventSettings(Section):
    """Events (what callers are shown and judge)."""

    events: bool = Field(
        False,
        description="Log the signals that callers are shown and the prices they judge, without "
        "who they are, to POKEWATCH_HOME/events.",
    )
    events_mb: int = Field(
        1_024,
        ge=1,
        le=1_048_576,
        description="Size of the event log, in MiB, from which on nothing is added to it.",
    )
