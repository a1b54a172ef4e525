"""Gridwell finds the point of a 3-D grid where the summed effect of many atoms is least."""

__version__ = "0.1.0"
