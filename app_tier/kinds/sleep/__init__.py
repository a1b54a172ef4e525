"""The sleep kind in compute processes."""
