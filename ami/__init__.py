"""Baking the image that instances boot from."""
