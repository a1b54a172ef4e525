"""Branch and bound: search a grid without summing every point."""
