"""Checks of collected prices: each row, then the day as a whole."""
