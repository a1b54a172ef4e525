"""Requests, pages and presentation of the grid kinds."""
