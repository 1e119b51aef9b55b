"""What a trading card is worth: daily prices, fair prices with honest intervals, BUY, SELL or HOLD."""
