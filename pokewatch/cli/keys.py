"""`pokewatch keys`: the API keys of the gateway."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pokewatch.cli.options import json_option
from pokewatch.cli.output import print_json, print_table, print_text
from pokewatch.errors import OutputError

if TYPE_CHECKING:
    from pokewatch.gateway.auth.keys import Key, KeyStore, NewKey

# The first second of year 1 and the last of year 9999, in seconds since 1970.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_COLUMNS = ("id", "name", "scopes", "rate", "created", "expires", "state")


@click.group()
def keys() -> None:
    """Create, list, revoke and rotate the gateway's API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--scopes",
    default="read,batch",
    show_default=True,
    help="Comma-separated scopes: read, batch, admin.",
)
@click.option(
    "--rate",
    default="100/minute",
    show_default=True,
    help="Rate limit, such as 100/minute, or none for no limit.",
)
@click.option("--expires", help="Lifetime, such as 90d or 12h. Default: unlimited.")
@json_option
def create(name: str, scopes: str, rate: str, expires: str | None, as_json: bool) -> None:
    """Create an API key called NAME.

    The key is printed once and stored as a hash. If it cannot be printed, it is not created.
    """
    from pokewatch.gateway.auth.key_values import parse_duration, parse_scopes

    span = None if expires is None else parse_duration(expires)
    new = key_store().create(name, parse_scopes(scopes), rate, span, show=_printer(as_json))
    _print_summary(new, as_json)


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List all keys, including revoked and expired ones."""
    rows = [_row(key) for key in key_store().list()]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, _COLUMNS, lambda row: [str(row[column] or "-") for column in _COLUMNS])


@keys.command()
@click.argument("key_id")
@json_option
def revoke(key_id: str, as_json: bool) -> None:
    """Revoke a key at once.

    Every gateway that shares the key store refuses it within a second.
    """
    row = _row(key_store().revoke(key_id))
    if as_json:
        print_json(row)
    else:
        print_text(f"key {key_id} ({row['name']}) is revoked")


@keys.command()
@click.argument("key_id")
@click.option(
    "--grace",
    default="0s",
    show_default=True,
    help="How long the old key stays valid, such as 1h.",
)
@json_option
def rotate(key_id: str, grace: str, as_json: bool) -> None:
    """Replace a key with a new one.

    The new key has the same name, scopes and rate, and expires at the same time. A key that has
    expired or is revoked cannot be rotated: create a new one.
    """
    from pokewatch.gateway.auth.key_values import parse_duration

    span = parse_duration(grace, "grace", least=0)
    new = key_store().rotate(key_id, span, show=_printer(as_json))
    _print_summary(new, as_json)


def key_store() -> "KeyStore":
    from pokewatch.gateway.auth.keys import KeyStore
    from pokewatch.settings import Home

    return KeyStore(Home.read().keys)


def _printer(as_json: bool) -> "Callable[[NewKey], None]":
    """Return a function that prints a key; if it raises, the store does not keep the key."""

    def show(new: "NewKey") -> None:
        times = {"created_at": _iso_time(new.created_at), "expires_at": _iso_time(new.expires_at)}
        try:
            print_json({**asdict(new), **times}) if as_json else print_text(new.key)
        except BrokenPipeError as error:
            sys.stdout = None  # otherwise Python writes the rest once more as it exits
            raise OutputError("standard output was closed; no key was created") from error

    return show


def _print_summary(new: "NewKey", as_json: bool) -> None:
    if not as_json:
        scopes = ", ".join(new.scopes)
        text = f"key {new.id} ({new.name}): scopes {scopes}; {new.rate}; not shown again"
        try:
            click.echo(text, err=True)
        except OSError:  # the key is already printed and stored
            sys.stderr = None  # otherwise Python writes the rest once more as it exits, and fails


def _row(key: "Key") -> dict[str, Any]:
    ended = "revoked" if key.revoked_at is not None else "damaged" if key.damaged else "expired"
    return {
        "id": key.id,
        "name": key.name,
        "scopes": ",".join(sorted(key.scopes)),
        "rate": str(key.rate or "none"),
        "created": _iso_time(key.created_at),
        "expires": _iso_time(key.expires_at),
        "state": "live" if key.live(time.time()) else ended,
    }


def _iso_time(seconds: float | None) -> str | None:
    """Return the time in ISO 8601; one outside the calendar is clamped to it."""
    if seconds is None:
        return None
    seconds = min(max(seconds, _FIRST_SECOND), _LAST_SECOND)
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
