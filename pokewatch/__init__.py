"""Fair prices of trading cards, with intervals and BUY, SELL or HOLD signals."""
