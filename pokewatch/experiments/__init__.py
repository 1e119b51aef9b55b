"""Experiments: a challenger's forecasts scored beside the champion's, and when to stop."""
