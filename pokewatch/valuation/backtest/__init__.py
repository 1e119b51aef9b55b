"""Backtests of signals."""
