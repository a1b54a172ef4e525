"""Requests, pages and presentation of each kind of work."""
