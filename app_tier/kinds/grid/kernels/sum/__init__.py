"""Direct sums over all points and atoms."""
