"""Collections of cards: read from the exports of apps, matched to a market, valued."""
