"""Runners of the grid kinds: minimum, series and map."""
