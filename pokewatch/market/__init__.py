"""What the market says: cards, prices, where they come from and how they are kept."""
