"""Who calls, and whether they may: keys, scopes, rate limits."""
