"""Numbers, days and words as the pages show them."""

from collections.abc import Sequence
from datetime import date, timedelta
from math import isfinite

from pokewatch.gateway.http.problems import ProblemError
from pokewatch.money import in_cents
from pokewatch.wording import counted

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
NONE = "\u2013"  # an en dash

STATUSES = {
    "ok": "",
    "stale_price": "No fresh market price for a long time: the fair price rests on an old quote.",
    "thin_history": "Too few days of prices for this card: its fair price is a first guess.",
    "wide_interval": "The interval is so wide that the fair price says little.",
    "unconfirmed_jump": "The last quote jumped far from the card's history and is not confirmed "
    "yet: the interval covers both levels.",
    "unknown_card": "There are no prices of this card.",
}
REASONS = {
    "below_threshold": "the price is far enough below the fair price",
    "above_threshold": "the price is far enough above the fair price",
    "within_thresholds": "the price is close to the fair price",
    "clears_fees": "the difference covers the fees both ways",
    "inside_fees": "the difference does not cover the fees",
    "no_interval": "there is no interval for this card",
    "no_market_price": "there is no market price on this day",
    "no_fair_price": "there is no fair price on this day",
    "not_judged": "the price cannot be judged",
    **{name: text.partition(":")[0].rstrip(".").lower() for name, text in STATUSES.items()},
}


# Reasons why there is no advice in money, where they are not those of the signal
ADVICE = {
    "no_fees": "no fees are known for this currency",
    "no_interval": "there is no interval for this card, or it is based on too few past prices for "
    "the probability of the settings",
}
SKILLS = {
    "better than the last price": "On past days, its forecasts were closer to the later prices "
    "than the price of the day was.",
    "too few periods to tell": "There are too few past periods to tell whether its forecasts are "
    "closer to the later prices than the price of the day.",
    "no better than the last price": "On past days, its forecasts were no closer to the later "
    "prices than the price of the day was: rely on the interval more than on the fair price.",
}
CONDITIONS = {
    "NM": "near mint",
    "LP": "lightly played",
    "MP": "moderately played",
    "HP": "heavily played",
    "DMG": "damaged",
}
_MARKETPLACES = {"tcgplayer": "TCGplayer", "ebay": "eBay", "cardmarket": "Cardmarket"}


def marketplace_text(name: str) -> str:
    """Return the name of a marketplace as it writes it."""
    return _MARKETPLACES.get(name, name)


def reason_text(reason: str) -> str:
    """Return a reason of a signal in words."""
    return REASONS.get(reason) or reason.replace("_", " ")


def advice_text(reason: str) -> str:
    """Return a reason of missing advice in words."""
    return ADVICE.get(reason) or reason_text(reason)


def money(amount: float | None, currency: str) -> str:
    """Return an amount with its currency: `$1,234.50`, or `1,234.50 JPY`."""
    if amount is None or not isfinite(amount):
        return NONE
    symbol, shown = SYMBOLS.get(currency), in_cents(amount)
    sign, size = "\u2212" if shown < 0 else "", f"{abs(shown):,.2f}"
    return f"{sign}{symbol}{size}" if symbol else f"{sign}{size} {currency}"


def prices(amounts: Sequence[float | None], currency: str) -> list[str]:
    """Return prices, which are finite and not negative, like `money`."""
    symbol = SYMBOLS.get(currency)
    before, after = (symbol, "") if symbol else ("", f" {currency}")
    return [
        NONE if amount is None else f"{before}{in_cents(amount):,.2f}{after}" for amount in amounts
    ]


def signed_percent(fraction: float | None, decimals: int = 1) -> str:
    """Return a fraction as `+12.3%`; a true minus sign aligns with the plus. Zero has no sign."""
    if fraction is None or not isfinite(fraction):
        return NONE
    sign = {1: "+", -1: "\u2212"}.get(percent_sign(fraction, decimals), "")
    return f"{sign}{abs(100 * fraction):,.{decimals}f}%"


def percent_sign(fraction: float, decimals: int = 1) -> int:
    """Return 1, -1 or 0: the sign of a fraction as `signed_percent` shows it."""
    shown = round(100 * fraction, decimals)
    return (shown > 0) - (shown < 0)


def chance(probability: float | None) -> str:
    """Return a probability in words: `83%`, never `0%` or `100%`."""
    if probability is None:
        return NONE
    percent = round(100 * probability)
    return "under 1%" if percent < 1 else "over 99%" if percent > 99 else f"{percent}%"


def figure(value: float, percent: bool = False) -> str:
    """Return a score as `0.97`, or a share as `89.3%`."""
    return f"{100 * value:z.1f}%" if percent else f"{value:z.2f}"


def size_text(count: int) -> str:
    """Return a number of bytes as `12 kB` or `3.4 MB`."""
    if count < 1_000_000:
        return f"{max(1, round(count / 1_000))} kB"
    return f"{count / 1_000_000:.1f} MB"


def band_text(band: str, currency: str) -> str:
    """Return a price band, such as `1-5` or `>100`, in words."""
    if band.startswith("<"):
        return f"under {money(float(band[1:]), currency)}"
    if band.startswith(">"):
        return f"over {money(float(band[1:]), currency)}"
    low, _, high = band.partition("-")
    return f"{money(float(low), currency)} to {money(float(high), currency)}"


def day_text(iso: str) -> str:
    """Return an ISO day as `25 Nov 2026`."""
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%b} {day.year}"


def later(iso: str, days: int) -> str:
    """Return the ISO day `days` after another."""
    return (date.fromisoformat(iso) + timedelta(days=days)).isoformat()


def age_text(days: int) -> str:
    """Return the age of data: `today`, `1 day old`, `12 days old`."""
    return "today" if days <= 0 else f"{counted(days, 'day')} old"


def listing_url(card_id: str) -> str | None:
    """Return the address of a card's listing, None if its source has none.

    Ids of TCGplayer's products are `tcgplayer-<product id>-<printing>`.
    """
    parts = card_id.split("-", 2)
    if len(parts) == 3 and parts[0] == "tcgplayer" and parts[1].isdigit():
        return f"https://www.tcgplayer.com/product/{parts[1]}"
    return None


def number_text(card_id: str, number: str | None) -> str:
    """Return the number of a card, or that of its product, "" if it has neither."""
    _, _, rest = card_id.partition("-")
    product = rest.partition("-")[0]
    return number or (f"product {product}" if product.isdigit() else "")


def sentence(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def problem_text(problem: ProblemError) -> str:
    """Return what is wrong as a sentence, with the field of a form that it is about in words."""
    for fault in problem.errors:
        if fault.pointer[:1] == "/":
            field = fault.pointer.rpartition("/")[2].replace("_", " ")
            return f"The {field}: {fault.detail}"
    return sentence(problem.detail)
