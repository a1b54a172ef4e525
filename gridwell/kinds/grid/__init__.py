"""The grid kinds: the point of a 3-D grid where the atoms' summed effect is least."""
