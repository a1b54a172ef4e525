"""Accept jobs: identify, check quota, enqueue, read and cache."""
