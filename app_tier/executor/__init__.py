"""Compute processes: tasks run apart from the worker, which survives them."""
