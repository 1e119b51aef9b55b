"""Settings of price sources, quality checks and data versions."""

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from pokewatch.settings.section import Section, home_folder
from pokewatch.settings.values import HttpUrl, Markets, Names, OptionalUrl

TCGCSV_URL = "https://tcgcsv.com"


class SourceSettings(Section):
    """Price sources."""

    tcgcsv_url: HttpUrl = Field(
        TCGCSV_URL, description="Address of TCGCSV, or of a mirror with the same paths."
    )
    tcgcsv_categories: Names = Field(
        ("3", "85"),
        min_length=1,
        description="Comma-separated games to collect from TCGCSV, by name or TCGplayer category: "
        "Magic (1), Yu-Gi-Oh (2), Pokemon (3), Pokemon Japan (85), Flesh and Blood (62), Digimon "
        "(63), One Piece (68), Lorcana (71), Star Wars Unlimited (79), Dragon Ball Fusion World "
        "(80), Gundam (86), Riftbound (89).",
    )
    tcgcsv_pause: float | None = Field(
        None,
        ge=0,
        le=60,
        description="Seconds between requests. Default: 0.1 for TCGCSV, as its terms require; 0 "
        "for other addresses.",
    )
    tcgcsv_daily_requests: int = Field(
        10_000,
        ge=1,
        description="Most requests to TCGCSV in 24 hours, of all runs together, retries included.",
    )
    pokemon_price_url: HttpUrl = Field(
        "https://www.pokemonpricetracker.com/api/v2", description="Address of PokemonPriceTracker."
    )
    pokemon_price_api_key: SecretStr | None = Field(
        None,
        validation_alias="POKEMON_PRICE_API_KEY",
        description="API key of PokemonPriceTracker. Required for that source.",
    )
    pokemon_price_sets: Names = Field(
        (),
        description="Comma-separated ids of the PokemonPriceTracker sets to collect. Default: all.",
    )
    pokemon_price_language: Literal["english", "japanese"] = Field(
        "english", description="Language of the cards to collect from PokemonPriceTracker."
    )
    file_path: Path | None = Field(
        None, description="The file of the source `file`: text, a workbook or Parquet."
    )
    file_columns: str = Field(
        "",
        description="Its columns where their names differ: `market_price=trend,card_id=sku`.",
    )
    file_currency: Literal["USD", "EUR"] = Field(
        "USD", description="Its currency where no column, cell or header names one."
    )
    file_dates: Literal["ymd", "dmy", "mdy"] | None = Field(
        None, description="Order of day and month in its dates. Default: inferred from the column."
    )
    file_day: date | None = Field(
        None,
        description="Day of all its prices, where no column or heading has it, as YYYY-MM-DD.",
    )
    file_unit: Literal["whole", "cents"] | None = Field(
        None,
        description="The unit of its prices: whole (dollars or euros) or cents. Default: cents for "
        "columns named so, else whole.",
    )
    file_decimal: Literal["point", "comma"] | None = Field(
        None, description="Its decimal mark. Default: inferred from the column."
    )
    file_encoding: str | None = Field(
        None, description="Its encoding, such as shift_jis. Default: inferred."
    )
    file_key: Names = Field(
        (), description="Comma-separated columns that distinguish cards of one id, such as `grade`."
    )
    http_timeout: float = Field(
        15.0,
        gt=0,
        le=600,
        description="Seconds without a response before a request to a source is retried.",
    )
    http_attempts: int = Field(
        4, ge=1, le=20, description="Attempts per request before a source is given up."
    )

    def pause(self) -> float:
        """Return the seconds between requests to TCGCSV."""
        if self.tcgcsv_pause is not None:
            return self.tcgcsv_pause
        return 0.1 if self.tcgcsv_url.rstrip("/") == TCGCSV_URL else 0.0


class MarketSettings(Section):
    """Markets, for homes with more than one."""

    markets: Markets = Field(
        (),
        description="Comma-separated markets to collect, value and serve, such as "
        "pokemon-tcgplayer-usd,magic-tcgplayer-usd. Default: flows value that of their source, and "
        "MLServer serves every market in the registry.",
    )
    market_files: Names = Field(
        (),
        description="Comma-separated files of prices. Each is the market file-NAME, by its name "
        "without the extension: file-my-prices for my_prices.csv.",
    )


class QualitySettings(Section):
    """Quality checks of prices."""

    quality_max_price: float = Field(
        1_000_000.0,
        gt=0,
        le=21_474_836.47,  # the largest price that a price book has: 2^31 - 1 cents
        description="Largest plausible price; rows above it are quarantined.",
    )
    quality_min_coverage: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Smallest share of the previous day's cards that a day must have. Default: "
        "0.9; 0 for the source `file`.",
    )
    quality_max_jumps: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Largest share of cards whose price may change fivefold in a day.",
    )
    quality_max_unchanged: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Largest share of prices that may equal the previous day's. Default: 0.98; 1 "
        "for the source `file`.",
    )
    quality_max_level: float = Field(
        1.5,
        ge=1,
        description="Largest factor of the median change of prices since the nearest day in the "
        "lake, however long ago.",
    )
    quality_max_quarantine: float = Field(
        0.02, ge=0, le=1, description="Largest share of a day's rows that may be quarantined."
    )
    quality_min_cards: int = Field(
        100, ge=1, description="Cards that two days must share for price changes to be checked."
    )


class VersionSettings(Section):
    """Data versions (DVC)."""

    dvc_remote: str = Field(
        "",
        description="DVC remote: a folder or s3://bucket/path. Default: `dvc-remote` in "
        "POKEWATCH_HOME.",
    )

    dvc_endpoint_url: OptionalUrl = Field(
        "",
        description="Endpoint of an S3-compatible remote (MinIO, DagsHub). Credentials: AWS_* "
        "variables.",
    )

    dvc_remote_owned: bool = Field(
        False,
        description="No other registry uses the remote, so that `pokewatch tidy` may remove from "
        "it what this registry does not refer to. Always so for the default remote.",
    )

    def remote(self) -> str:
        return self.dvc_remote or str(home_folder() / "dvc-remote")
