"""Runners: the code that computes each kind of work."""
