"""Keys, sessions, quotas and addresses: who may ask for what."""
