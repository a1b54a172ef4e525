"""The sleep kind in the interface."""
