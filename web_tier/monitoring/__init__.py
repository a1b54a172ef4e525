"""Metrics, readiness and request ids."""
