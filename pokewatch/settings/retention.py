"""Settings of retention."""

from pydantic import Field, field_validator

from pokewatch.settings.section import Section

LEAST_KEPT_DAYS = 40  # the monitor judges forecasts of 30 days ago, by books up to a week older


class RetentionSettings(Section):
    """Retention (`pokewatch tidy`)."""

    keep_days: int = Field(
        60,
        ge=0,
        description="Days for which the price books of former champions are kept, and the runs of "
        "the flows with their cards, and events: at least 40, the time for which the monitor "
        "needs them. 0 keeps everything.",
    )

    @field_validator("keep_days")
    @classmethod
    def _covers_the_monitor(cls, days: int) -> int:
        if 0 < days < LEAST_KEPT_DAYS:
            raise ValueError(f"must be 0 or at least {LEAST_KEPT_DAYS}, got {days}")
        return days
