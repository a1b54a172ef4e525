"""What the tiers agree on: pure data and pure functions, numpy and the standard library only."""
