"""Watches: a condition on a card's price, judged every price day, and reported once a crossing."""
