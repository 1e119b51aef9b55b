"""Every error PokeWatch raises on purpose.

    PokeWatchError                 anything below; the command line prints it and exits with `exit_code`
    +-- SettingsError              a setting or command-line value is malformed
    +-- SourceError                a price source gave up, or answered what cannot be used
    |   +-- MissingAtSourceError   the source has no such day, set or page
    +-- LakeError                  the lake cannot be read or written
    |   +-- PriceSchemaError       a table does not have the columns of a price or card row
    +-- QualityError               a day of prices failed its checks
    +-- VersionError               data cannot be stored or found under its content hash
    +-- ValuationError             a panel or model that cannot give a value
    +-- BookError                  a price book is damaged, foreign or too new
    +-- RegistryError              the model registry cannot be reached or holds something unexpected
    |   +-- NoChampionError        no model is champion yet
    +-- GateError                  the candidate is not good enough to ship
    +-- RetrainError             the models could not be trained again
    +-- DeployError                a version was not deployed; the champion is the former one
    |   +-- DeployBusyError        another deploy of this registry has not ended
    |   +-- LockLostError          another process took this deploy for dead, and settles it
    +-- UnknownCardError           no card of that id or slug in the book
    +-- UnknownDateError           the book has no such day
    +-- StackError                 a server did not start, or ended by itself
    +-- KeyStoreError              an API key that cannot be made, found or revoked
    +-- OutputError                what a command has to say cannot be written

Library code under `valuation` and `decision` raises ValueError for a wrong argument; the tree above is for what a
user of the command line, the flow or the service can meet.
"""

from collections.abc import Sequence


class PokeWatchError(Exception):
    exit_code = 1
    final = False  # whether the same step of a flow, run again, would only fail again


class SettingsError(PokeWatchError):
    exit_code = 2
    final = True


class SourceError(PokeWatchError):
    """A price source gave up. Names the source, the address (no secrets in it) and the cause."""

    exit_code = 4

    def __init__(self, source: str, url: str, cause: str) -> None:
        super().__init__(f"{source}: {url}: {cause}")
        self.source = source
        self.url = url
        self.cause = cause


class MissingAtSourceError(SourceError):
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


class RegistryError(PokeWatchError):
    exit_code = 6


class NoChampionError(RegistryError):
    pass


class GateError(PokeWatchError):
    exit_code = 5
    final = True


class RetrainError(PokeWatchError):
    pass


class DeployError(PokeWatchError):
    exit_code = 7
    final = True


class DeployBusyError(DeployError):
    pass


class LockLostError(DeployError):
    pass


class UnknownCardError(PokeWatchError):
    """No such card. `near` holds the ids or slugs that look most like what was asked."""

    exit_code = 3

    def __init__(self, card: str, near: Sequence[str] = ()) -> None:
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"unknown card {card!r}{hint}")
        self.card = card
        self.near = tuple(near)


class UnknownDateError(PokeWatchError):
    """No such day in the book. The message tells the days there are."""

    exit_code = 3

    def __init__(self, day: str, first: str, last: str) -> None:
        super().__init__(f"no prices for {day}: the book runs from {first} to {last}")
        self.day = day


class StackError(PokeWatchError):
    pass


class KeyStoreError(PokeWatchError):
    exit_code = 3


class OutputError(PokeWatchError):
    pass
