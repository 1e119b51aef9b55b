"""Counts, lists, ages and errors of the system in words."""

import pytest

from pokewatch.wording import (
    age_in_words,
    counted,
    evidence,
    listed,
    pipeline_command,
    refusal,
)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1200, "1,200 days")]
)
def test_a_count_has_its_noun_in_the_right_number(count: int, text: str) -> None:
    assert counted(count, "day") == text


def test_an_irregular_plural() -> None:
    assert [counted(count, "watch", "watches") for count in (1, 2)] == ["1 watch", "2 watches"]


def test_a_long_list_ends_with_the_number_of_the_others() -> None:
    assert [listed("abcde"), listed("abcdefg")] == ["a, b, c, d, e", "a, b, c, d, e and 2 more"]
    assert listed([1, 2, 3, 4, 5, 6], "days", "; ") == "1; 2; 3; 4; 5 and 1 more days"
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (1.2, "1 hour"),
        (37.2, "37 hours"),
        (47.4, "47 hours"),
        (47.6, "2 days"),
        (9_533.0, "397 days"),
    ],
)
def test_an_age_is_in_days_from_two_days_on(hours: float, text: str) -> None:
    assert age_in_words(hours) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(13, "Permission denied", "/x/keys.db"), "/x/keys.db: Permission denied"),
        (OSError(9, "Bad file descriptor", 3), "Bad file descriptor"),
        (OSError("not a Parquet file"), "not a Parquet file"),
        (ValueError("embedded null byte"), "embedded null byte"),
    ],
)
def test_a_refusal_of_the_system_has_no_number(error: Exception, text: str) -> None:
    assert refusal(error) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0, "under 0.01"),
        (0.0801, "0.08"),
        (2.3333, "2.33"),
        (19.96, "20.00"),
        (157.2, "157"),
        (15_683.0, "15,700"),
        (999_999.0, "1,000,000"),
        (3e40, "over 1,000,000"),
    ],
)
def test_evidence_is_written_without_powers_of_ten(ratio: float, text: str) -> None:
    assert evidence(ratio) == text


@pytest.mark.parametrize(
    ("market", "valued", "options"),
    [
        ("magic-tcgplayer-usd", "magic-tcgplayer-usd", " --market magic-tcgplayer-usd"),
        ("", "pokemon-tcgplayer-usd", " --source tcgcsv"),
        ("", "magic-tcgplayer-usd", " --source tcgcsv --categories GAMES"),
        ("", "pokemon-pricetracker-usd", " --source pokemon_price_tracker"),
        ("", "file-mine", " --source file --file FILE"),
        ("", "simulated-0", ""),
        ("", "simulated-12", " --seed 12"),
        ("", "", ""),
    ],
)
def test_the_command_of_an_unnamed_market_gives_its_source(
    market: str, valued: str, options: str
) -> None:
    assert pipeline_command(market, valued) == f"pokewatch pipeline run{options}"
    assert pipeline_command(market, valued, "monitor") == f"pokewatch monitor run{options}"
