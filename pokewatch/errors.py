"""The exceptions of PokeWatch.

    PokeWatchError                 base class; the command line prints it and exits with `exit_code`
    +-- SettingsError              a setting or command-line value is invalid
    +-- SourceError                a price source failed, or its response cannot be used
    |   +-- MissingAtSourceError   the source has no such day, set or page
    |   +-- DamagedDayError        what the source has of a day cannot be read; other days can
    +-- LakeError                  the lake cannot be read or written
    |   +-- PriceSchemaError       a table does not have the columns of prices or cards
    +-- QualityError               a day of prices failed its quality checks
    +-- VersionError               a data version cannot be stored or found
    +-- ValuationError             a panel or model cannot give fair prices
    +-- BookError                  a price book is damaged, not the expected one, or too new
    +-- TrackRecordError           a track record is damaged or too new
    +-- RegistryError              the model registry failed or holds something unexpected
    |   +-- NoChampionError        no model is champion yet
    +-- GateError                  the selected model did not pass the gate
    +-- ExperimentError            an experiment cannot be started, stopped or read
    +-- RetrainError               retraining failed
    +-- WorkflowError              a workflow of Argo cannot be started or seen
    +-- MarketsError               the run of a market failed
    +-- DeployError                a version was not deployed; the champion has not changed
    |   +-- DeployBusyError        another deploy on the same registry is running
    |   +-- DeployOutageError      the registry or a server failed, and the version is not at fault
    |   +-- LockLostError          another process took over this deploy
    +-- UnknownCardError           the book has no card with that id or slug
    +-- AmbiguousCardError         several cards have that name
    +-- UnknownDateError           the book has no such day
    +-- StackError                 a server did not start, or exited
    +-- KeyStoreError              the store of the API keys cannot be read or written
    |   +-- KeyValueError          a name, scope, rate or time span of a key is invalid
    |   +-- UnknownKeyError        no key that can be used has this id
    +-- WatchStoreError            the database of the watches cannot be used
    +-- WatchError                 a watch is refused
    |   +-- UnknownWatchError      no watch has this id
    |   +-- ReusedKeyError         an idempotency key came with another request before
    +-- OutputError                standard output cannot be written

Library code in `valuation` and `decision` raises ValueError for an invalid argument.
"""

from collections.abc import Sequence


class PokeWatchError(Exception):
    exit_code = 1
    final = False  # whether retrying the same step of a flow would fail again


class SettingsError(PokeWatchError):
    exit_code = 2
    final = True


class SourceError(PokeWatchError):
    """A price source failed. Has the source, the address without secrets, and the cause.

    `status` is that of the answer, None if there was none.
    """

    exit_code = 4

    def __init__(self, source: str, url: str, cause: str, status: int | None = None) -> None:
        super().__init__(f"{source}: {url}: {cause}")
        self.source = source
        self.url = url
        self.cause = cause
        self.status = status


class MissingAtSourceError(SourceError):
    pass


class DamagedDayError(SourceError):
    pass


class LakeError(PokeWatchError):
    exit_code = 4


class PriceSchemaError(LakeError):
    pass


class QualityError(PokeWatchError):
    exit_code = 5
    final = True


class VersionError(PokeWatchError):
    exit_code = 4


class ValuationError(PokeWatchError):
    exit_code = 5
    final = True


class BookError(PokeWatchError):
    exit_code = 4


class TrackRecordError(PokeWatchError):
    exit_code = 4


class RegistryError(PokeWatchError):
    exit_code = 6


class NoChampionError(RegistryError):
    pass


class GateError(PokeWatchError):
    exit_code = 5
    final = True


class ExperimentError(PokeWatchError):
    exit_code = 2
    final = True


class RetrainError(PokeWatchError):
    pass


class WorkflowError(PokeWatchError):
    pass


class MarketsError(PokeWatchError):
    final = True


class DeployError(PokeWatchError):
    exit_code = 7
    final = True


class DeployBusyError(DeployError):
    pass


class DeployOutageError(DeployError):
    pass


class LockLostError(DeployError):
    pass


class UnknownCardError(PokeWatchError):
    """Unknown card. `near` has the most similar ids or slugs, `among` which cards were searched."""

    exit_code = 3

    def __init__(self, card: str, near: Sequence[str] = (), among: str = "") -> None:
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"unknown card {card!r}{f' among {among}' if among else ''}{hint}")
        self.card = card
        self.near = tuple(near)


class AmbiguousCardError(PokeWatchError):
    """A name that several cards have. `cards` are the first of them, each an id and its text."""

    exit_code = 3

    def __init__(self, name: str, count: int, cards: Sequence[tuple[str, str]]) -> None:
        lines = "".join(f"\n  {card_id}\n    {text}" for card_id, text in cards)
        rest = f"\n  and {count - len(cards)} more" if count > len(cards) else ""
        super().__init__(f"{name!r} may be {count:,} cards; use the id of one:{lines}{rest}")


class UnknownDateError(PokeWatchError):
    """Unknown day. The message has the first and last day of the book."""

    exit_code = 3

    def __init__(self, day: str, first: str, last: str) -> None:
        super().__init__(f"no prices for {day}: the book runs from {first} to {last}")
        self.day = day


class StackError(PokeWatchError):
    pass


class KeyStoreError(PokeWatchError):
    exit_code = 4


class KeyValueError(KeyStoreError):
    exit_code = 2


class UnknownKeyError(KeyStoreError):
    exit_code = 3


class WatchStoreError(PokeWatchError):
    exit_code = 4


class WatchError(PokeWatchError):
    exit_code = 3


class UnknownWatchError(WatchError):
    pass


class ReusedKeyError(WatchError):
    pass


class OutputError(PokeWatchError):
    pass


def storage_remedy(cause: str) -> str:
    """Return the end of a message with this cause: what to do about an SQLite file or a full disk.

    "" for other causes.
    """
    if "file is not a database" in cause or "disk image is malformed" in cause:
        return "; restore the file from a backup, or move it away to begin with an empty one"
    if "database or disk is full" in cause or "No space left on device" in cause:
        return "; free some space"
    if "readonly database" in cause:
        return "; make the file and its folder writable by this user"
    return ""
