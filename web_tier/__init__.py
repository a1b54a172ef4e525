"""The web tier: takes jobs over HTTP, cuts and queues them, merges results, answers."""
