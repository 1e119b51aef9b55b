"""Exports of the apps: the header that each writes, with lines for cards of the test book."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "exports"
_APPS = (
    "Collectr",
    "TCGplayer app",
    "TCGplayer seller pricing",
    "TCGplayer app (older)",
    "TCG Collector",
    "PriceCharting",
    "Dragon Shield",
    "Deckbox",
    "ManaBox",
    "Moxfield",
    "Archidekt",
    "Delver Lens",
    "Card Ladder",
    "",
)
_FILE = str.maketrans(" ", "_", "()")
EXPORTS = {
    app: (_FOLDER / f"{(app or 'plain').lower().translate(_FILE)}.csv").read_text() for app in _APPS
}
