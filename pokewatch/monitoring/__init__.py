"""Monitoring: calibration of past forecasts, drift of prices, and the track record."""
