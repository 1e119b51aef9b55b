"""`pokewatch watch`: be notified when the price of a card crosses a line."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pokewatch.cli.market_choice import (
    champion_book,
    chosen_registry,
    market_option,
    valued_registries,
)
from pokewatch.cli.options import PriceOption, check_currency, json_option, value_errors_as_usage
from pokewatch.cli.output import print_json, print_table, print_text
from pokewatch.wording import counted

if TYPE_CHECKING:
    from pokewatch.watches.conditions import Condition, WatchSignal
    from pokewatch.watches.outbox import Delivery
    from pokewatch.watches.store import Watch, WatchStore

_COLUMNS = ("id", "card", "market", "condition", "state", "crossed", "judged", "webhook", "owner")
_DELIVERY_COLUMNS = ("id", "state", "attempts", "created", "receiver", "error")


@click.group()
def watch() -> None:
    """Be notified when the price of a card crosses a line.

    Watches are judged after every deploy of new prices. A crossing is reported once, to the watch's
    webhook or, without one, to POKEWATCH_NOTIFY_URLS; it can happen again once the condition has
    ceased to hold.
    """


@watch.command()
@click.argument("card")
@click.option("--below", type=PriceOption(of_card=True), help="At or below this market price.")
@click.option("--above", type=PriceOption(of_card=True), help="At or above this market price.")
@click.option("--signal", type=click.Choice(["BUY", "SELL"]), help="When this is the signal.")
@click.option("--moves", metavar="10%/7d", help="Rises or falls this much in so many days.")
@click.option("--currency", help="Currency of the price. Default: that of the market.")
@click.option("--webhook", metavar="URL", help="Public https:// address to post crossings to.")
@market_option
@json_option
def add(
    card: str,
    below: float | None,
    above: float | None,
    signal: "WatchSignal | None",
    moves: str | None,
    currency: str | None,
    webhook: str | None,
    as_json: bool,
) -> None:
    """Watch CARD, given by id or slug, for one condition.

    The secret that signs the webhooks is printed once. A condition that holds already is reported
    when the watches are judged next.

    \b
      pokewatch watch add emberfox_ex_199 --below 40
      pokewatch watch add emberfox_ex_199 --moves 10%/7d --webhook https://example.com/hook
    """
    from pokewatch.watches.store import LOCAL, NewWatch

    with value_errors_as_usage():
        condition = _condition(below, above, signal, moves)
        _check_webhook(webhook)
        card_id, slug, unit, market = _card(card)
        check_currency(below, "--below", unit)
        check_currency(above, "--above", unit)
        priced = unit if currency is None else currency.strip().upper()
        if condition.has_currency and priced != unit:
            raise ValueError(f"--currency {currency}: the prices are in {unit}")
    priced_in = unit if condition.has_currency else None
    new = NewWatch(card_id, slug, condition, priced_in, webhook, market)
    made = _store().create(LOCAL, new)
    if as_json:
        print_json(_row(made) | {"secret": made.secret})
        return
    print_text(f"watch {made.id}: {slug} {condition.text(made.currency)}")
    if made.secret is not None:
        print_text(f"secret of its webhooks, not shown again: {made.secret}")
    _print_receivers(webhook)


@watch.command("list")
@json_option
def list_watches(as_json: bool) -> None:
    """List all watches, those of API keys too.

    A disarmed watch cannot be judged by the latest prices: its reason is shown.
    """
    rows = [_row(each) for each in _store().list()]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, _COLUMNS, lambda row: [_cell(row[name]) for name in _COLUMNS])


@watch.command()
@click.argument("watch_id", required=False)
@click.option("--key", help="Remove all watches of the API key with this id.")
def remove(watch_id: str | None, key: str | None) -> None:
    """Remove a watch, and what it has not delivered yet."""
    if (watch_id is None) == (not key):
        raise click.UsageError("give the id of a watch, or --key ID")
    if watch_id is not None:
        removed = _store().remove(watch_id)
        print_text(f"watch {removed.id} of {removed.slug} is removed")
    else:
        print_text(f"removed {counted(_store().remove_all(str(key)), 'watch', 'watches')}")


@watch.command()
@click.argument("old_key")
@click.argument("new_key")
def transfer(old_key: str, new_key: str) -> None:
    """Give the watches of one API key to another, as after `pokewatch keys rotate`.

    Both are named by their ids, which are the twelve digits after `pw_` of a key.
    """
    from pokewatch.gateway.auth.key_values import KEY_ID

    if not KEY_ID.fullmatch(new_key):
        raise click.UsageError("give the id of the new key, as pokewatch keys list shows it")
    moved = counted(_store().transfer(old_key, new_key), "watch", "watches")
    print_text(f"transferred {moved} to key {new_key}")


@watch.command()
@json_option
def judge(as_json: bool) -> None:
    """Judge all watches by the latest prices of the champions, and send what is due.

    Those of every market that has a champion, or of POKEWATCH_MARKET alone. The daily pipeline
    does so for its market after its deploy.
    """
    from pokewatch.pipeline.watches import judge_watches

    judged, sent = judge_watches(valued_registries())
    found = {
        "judged": judged.judged,
        "fired": judged.fired,
        "armed again": judged.armed,
        "disarmed": judged.disarmed,
    }
    _print_counts(found | _sent_counts(sent), as_json)


@watch.command()
@click.option("--follow", is_flag=True, help="Continue until nothing is left to retry.")
@json_option
def deliver(follow: bool, as_json: bool) -> None:
    """Send the notifications that are due.

    One that is not accepted is retried for a day, after a minute at first and after twice as long
    each time. Run this every few minutes, for instance from cron.
    """
    from pokewatch.pipeline.watches import deliver as deliver_due

    _print_counts(_sent_counts(deliver_due(follow)), as_json)


@watch.command("test")
@click.argument("watch_id")
def send_test(watch_id: str) -> None:
    """Post a message of the type `watch.test` to the webhook of a watch, once and now."""
    from pokewatch.watches.delivery import post_test

    store = _store()
    found = store.get(watch_id)
    message_id = post_test(found, store.secret(watch_id))
    print_text(f"{found.webhook} accepted the message {message_id}")


@watch.command()
@click.argument("watch_id", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
def deliveries(watch_id: str | None, limit: int, as_json: bool) -> None:
    """List the newest notifications of one watch or of all: pending, sent or failed."""
    from pokewatch.watches.database import WatchDatabase
    from pokewatch.watches.outbox import Outbox

    if watch_id is not None:
        _store().get(watch_id)
    rows = [_delivery(each) for each in Outbox(WatchDatabase.configured()).newest(watch_id, limit)]
    if as_json:
        print_json(rows)
    else:
        names = _DELIVERY_COLUMNS
        print_table(rows, names, lambda row: [_cell(row[name]) for name in names])


def _condition(
    below: float | None, above: float | None, signal: "WatchSignal | None", moves: str | None
) -> "Condition":
    """Return the only condition that was given. Raise ValueError, and UsageError for several."""
    from pokewatch.watches.conditions import Condition, parse_moves

    if sum(each is not None for each in (below, above, signal, moves)) != 1:
        raise click.UsageError("give one of --below, --above, --signal and --moves")
    if below is not None:
        return Condition("below", price=below)
    if above is not None:
        return Condition("above", price=above)
    if signal is not None:
        return Condition("signal", signal=signal)
    return parse_moves(moves or "")


def _check_webhook(webhook: str | None) -> None:
    """Raise ValueError for an address that no webhook may have."""
    from pokewatch.settings import PriceWatchSettings
    from pokewatch.watches.address_guard import parse_target

    if webhook is not None:
        parse_target(webhook, PriceWatchSettings.read().webhook_hosts)


def _card(card: str) -> tuple[str, str, str, str]:
    """Return the id, slug, currency and market of a card. Raise UnknownCardError."""
    book, _ = champion_book(chosen_registry())
    at = book.cards.position(card)
    return book.cards.ids[at], book.cards.slugs[at], book.facts.currency, book.facts.market


def _store() -> "WatchStore":
    from pokewatch.watches.database import WatchDatabase
    from pokewatch.watches.store import WatchStore

    return WatchStore(WatchDatabase.configured())


def _print_receivers(webhook: str | None) -> None:
    from pokewatch.settings import NotifySettings

    if webhook is None and not NotifySettings.read().addresses():
        click.echo(
            f"Nobody will be notified: set {NotifySettings.variable('notify_urls')} or give "
            "--webhook; `pokewatch watch list` shows crossings",
            err=True,
        )


def _row(watch: "Watch") -> dict[str, Any]:
    return {
        "id": watch.id,
        "card": watch.slug,
        "market": watch.market or None,
        "condition": watch.condition.text(watch.currency),
        "state": watch.state if watch.reason is None else f"disarmed: {watch.reason}",
        "crossings": watch.crossings,
        "crossed": watch.crossed_on,
        "judged": watch.judged_on,
        "webhook": watch.webhook,
        "owner": watch.owner or None,
    }


def _delivery(delivery: "Delivery") -> dict[str, Any]:
    created = datetime.fromtimestamp(delivery.created_at, UTC)
    return {
        "id": delivery.id,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "created": created.isoformat(timespec="seconds"),
        "receiver": delivery.receiver,
        "error": delivery.error,
    }


def _sent_counts(sent: Any) -> dict[str, int]:
    return {"sent": sent.sent, "to retry": sent.retried, "failed": sent.failed}


def _print_counts(counts: Mapping[str, int], as_json: bool) -> None:
    if as_json:
        print_json({name.replace(" ", "_"): count for name, count in counts.items()})
    else:
        print_text(", ".join(f"{name} {count}" for name, count in counts.items()))


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)
