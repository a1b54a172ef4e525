"""The cache and rate counters in memcached."""
